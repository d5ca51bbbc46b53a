/** The training thread: makes a trainer, answers calls to it until it is closed, and waits for the next one. */
import { parentPort } from "node:worker_threads";
import { withOwnKind } from "../../adapter/own-kind.ts";
import { aggregateNeighbours, sketchDistance, sketchOfFeatures } from "../../aggregation/index.ts";
import { NodeError } from "../../errors.ts";
import type { Trainer, TrainerOptions } from "../../interface/trainer.ts";
import { gaussianSource } from "../../privacy/gaussian-noise.ts";
import { createTrainer } from "../../training/trainer.ts";
import { readModelFiles } from "../files/model-files.ts";
import { saveCompiledCode } from "../platform/compiled-code.ts";
import { createSecureRandom } from "../platform/secure-random.ts";
import { onWork } from "../platform/work-channel.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { releaseHeap } from "./release-heap.ts";
import type { FromWorker, SerializedError, ToWorker } from "./trainer-thread.ts";

const port = parentPort;
if (!port) throw new Error("trainer-worker runs as a worker thread only");
const send = (message: FromWorker): void => port.postMessage(message);

onWork((news) => send({ kind: "work", news }));

let trainer: Trainer | undefined;
let last: Promise<void> = Promise.resolve();
// Calls are answered one after another, in the order in which they came.
port.on("message", (message: ToWorker) => {
  last = last.then(async () => {
    try {
      send({ kind: "result", id: message.id, value: await answer(message) });
    } catch (error) {
      send({ kind: "error", id: message.id, error: serialize(error) });
    }
  });
});

async function answer(message: ToWorker): Promise<unknown> {
  if (message.method === "open") {
    trainer = await open(message.argument);
    return trainer.tensors;
  }
  if (trainer === undefined) throw new Error(`no training is open for "${message.method}"`);
  const value = await perform(trainer, message);
  if (message.method === "close") trainer = undefined;
  return value;
}

async function open(options: TrainerOptions): Promise<Trainer> {
  const files = readModelFiles(options.modelDirectory);
  const { device } = options.engine;
  const runtime = createOnnxRuntime(device === undefined ? {} : { device });
  const adapter = await withOwnKind(options.adapter);
  const opened = await createTrainer({ runtime, files, random: createSecureRandom() }, { ...options, adapter });
  releaseHeap();
  saveCompiledCode();
  return opened;
}

async function perform(trainer: Trainer, message: Exclude<ToWorker, { method: "open" }>): Promise<unknown> {
  switch (message.method) {
    case "train":
      return trainer.train({ ...message.argument, onStep: (loss) => send({ kind: "step", id: message.id, loss }) });
    case "evaluate": {
      const evaluation = await trainer.evaluate(message.argument);
      // The first one builds graphs.
      releaseHeap();
      return evaluation;
    }
    case "setAdapter":
      return trainer.setAdapter(message.argument);
    case "setReference":
      return trainer.setReference(message.argument);
    case "aggregate":
      return aggregateNeighbours(message.argument);
    case "features":
      return trainer.features(message.argument);
    case "sketch": {
      const { examples, ...options } = message.argument;
      const normal = gaussianSource(createSecureRandom());
      return sketchOfFeatures(await trainer.features({ examples }), { ...options, normal });
    }
    case "distances": {
      const { own, others } = message.argument;
      return others.map((other) => sketchDistance(own, other));
    }
    case "restore":
      return trainer.restore(message.argument);
    case "adapter":
    case "start":
    case "fisher":
    case "state":
    case "reset":
    case "close":
      return trainer[message.method]();
  }
}

function serialize(error: unknown): SerializedError {
  if (error instanceof NodeError) {
    return {
      code: error.code,
      message: error.message,
      facts: error.facts,
      ...(error.stack ? { stack: error.stack } : {}),
    };
  }
  if (error instanceof Error) return { message: error.message, ...(error.stack ? { stack: error.stack } : {}) };
  return { message: String(error) };
}
