/**
 * A session that is never in memory as a whole: its parts are loaded one after another from the mapped files of weights, run,
 * and let go (`streamed-parts.ts`). The system keeps of the files what it has room for.
 */
import type { Runtime, Session, SessionOptions } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import { declaredOnly } from "./frozen-blocks.ts";
import { NEXT, NEXT_GRADIENT, STREAM, STREAM_GRADIENT, type StreamedParts } from "./streamed-parts.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A part as bytes, and what has to be fed to it. */
interface Part {
  readonly model: Uint8Array;
  readonly inputs: Pick<OnnxGraph, "inputs">;
}

/** The parts as one session, with the inputs and outputs of the whole. */
export function streamedSession(runtime: Runtime, parts: StreamedParts, options: SessionOptions): Session {
  // The graphs themselves are let go: of a large model they take more room than their bytes.
  const encoded = (graph: OnnxGraph): Part => ({ model: encodeModel(graph), inputs: { inputs: graph.inputs } });
  const [forward, backward] = [parts.forward.map(encoded), parts.backward.map(encoded)];
  const head = encoded(parts.head);
  const run = async ({ model, inputs }: Part, feeds: Tensors): Promise<Tensors> => {
    const session = await runtime.load(model, options);
    try {
      return await session.run(declaredOnly(inputs, feeds));
    } finally {
      await session.close();
    }
  };
  return {
    run: async (feeds, given) => {
      const streams: Tensor[] = [];
      for (const part of forward) {
        const below = streams.at(-1);
        streams.push((await run(part, { ...feeds, ...(below && { [STREAM]: below }) }))[NEXT]!);
      }
      const { [STREAM_GRADIENT]: atTop, ...outputs } = await run(head, { ...feeds, [STREAM]: streams.pop()! });
      const sum = outputs.gradient?.data as Float32Array | undefined;
      let atNext = atTop;
      for (const part of backward) {
        const stream = streams.pop();
        const fed = { ...feeds, ...(stream && { [STREAM]: stream }), [NEXT_GRADIENT]: atNext! };
        const { gradient, [STREAM_GRADIENT]: atStream } = await run(part, fed);
        const values = gradient!.data as Float32Array;
        for (let i = 0; i < values.length; i++) sum![i]! += values[i]!;
        atNext = atStream;
      }
      return intoGiven(outputs, given);
    },
    close: async () => {},
  };
}

/** The outputs, in the arrays that were given for them. */
function intoGiven(outputs: Tensors, given: Tensors | undefined): Tensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { shape, data }]) => {
      const target = given?.[name];
      if (!target) return [name, outputs[name]!];
      (target.data as Float32Array).set(data as Float32Array);
      return [name, float32(shape, target.data as Float32Array)];
    }),
  );
}
