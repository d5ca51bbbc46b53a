/** The inference runtime: onnxruntime-node behind `node/interface/runtime`. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Device, ExternalData, Provider, Runtime, Session, SessionOptions } from "../../interface/runtime.ts";
import { encodeModel } from "../../onnx/codec.ts";
import { constantValue, inputValue } from "../../onnx/graph.ts";
import { cast, gemm, neg } from "../../onnx/operators.ts";
import type { Dtype, Tensor } from "../../tensor.ts";
import { TOLD_BYTES_MIN, tellWork } from "../platform/work-channel.ts";
import { chooseDevice, unavailable, whyNotInHalves, whyUnavailable } from "./device.ts";
import { type InferenceSession, loadOnnxRuntime, type OrtTensor } from "./load-onnxruntime.ts";

/** How the runtime computes. */
export interface OnnxRuntimeOptions {
  /** Default: cpu, on which equal seeds give equal bits. */
  readonly device?: Device;
  /** Told how long each run of a session took inside the runtime, in milliseconds. */
  readonly onRun?: (milliseconds: number) => void;
  /** A path without an ending: every session writes there, under names of its own, what its operators cost. */
  readonly profilePrefix?: string;
}

/**
 * How long a thread of an operator waits awake for the next one. A step has thousands of operators, and waking a
 * sleeping thread for each takes 11 to 17 % of it (measured: `npm run bench:step -- --case loreft_upper`, two cores). Without an
 * end, which is the runtime's default, threads that wait take the cores from those that work as soon as there are more
 * threads than cores: a third more processor time beside a load of 20.
 */
const SPIN_MICROSECONDS = "20";

/** Optimisers that would hold wide what is stored narrow: at load, or from the forward to the backward pass. */
const NOT_TO_WEIGHTS = [
  "ConstantFolding",
  "FuseFp16InitializerToFp32NodeTransformer",
  "CommonSubexpressionElimination",
  "IdenticalChildrenConsolidation",
].join(";");

/** onnxruntime on one device. `run` blocks the calling thread: use it in a worker thread beside a network. */
export function createOnnxRuntime({ device = "cpu", onRun, profilePrefix }: OnnxRuntimeOptions = {}): Runtime {
  let chosen: Promise<Provider> | undefined;
  const choose = (): Promise<Provider> => {
    chosen ??= chooseDevice(device, probe);
    return chosen;
  };
  return {
    provider: choose,
    whyNoFloat16: async () => probeFloat16(await choose()),
    load: async (model, options) => {
      const provider = await choose();
      try {
        tellWork({ what: BUILDING, done: 0, ...(isLarge(options) && { blocks: true }) });
        return wrap(await create(model, options, provider, { profilePrefix }), onRun);
      } catch (cause) {
        // A device that runs nothing at all is not the model's fault.
        const broken = provider === "cpu" ? undefined : await probe(provider);
        if (broken !== undefined) throw unavailable(provider, broken, cause);
        throw new NodeError("RUNTIME_MODEL", `onnxruntime refused the model: ${reasonOf(cause)}`, {}, { cause });
      } finally {
        tellWork({ what: BUILDING, isOver: true });
      }
    },
    tell: tellWork,
  };
}

/** What a person reads while a session is made. */
const BUILDING = "building graphs";

/** Whether the runtime may take seconds to read the weights. */
function isLarge({ externalData = [] }: SessionOptions): boolean {
  const bytes = externalData.map(({ path, folder }) =>
    folder === undefined ? 0 : (statSync(join(folder, path), { throwIfNoEntry: false })?.size ?? 0),
  );
  return bytes.reduce((sum, one) => sum + one, 0) >= 4 * TOLD_BYTES_MIN;
}

/** Why a device cannot be used, as far as is known without trying it; undefined when nothing is. */
export function whyMissing(provider: Provider): string | undefined {
  return whyUnavailable(provider, {
    backends: loadOnnxRuntime()
      .listSupportedBackends()
      .map(({ name }) => name),
  });
}

/** Why a device cannot run the smallest of models, in words; undefined when it can. */
export async function probe(provider: Provider): Promise<string | undefined> {
  const missing = whyMissing(provider);
  if (missing !== undefined) return missing;
  const x = inputValue("x", "float32", [2]);
  try {
    const session = wrap(await create(encodeModel({ inputs: [x], outputs: { y: neg(x) } }), {}, provider));
    try {
      const { y } = await session.run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) } });
      const [a, b] = y!.data as Float32Array;
      return a === -1 && b === 2 ? undefined : `it computes wrongly: -[1, -2] is [${a}, ${b}]`;
    } finally {
      await session.close();
    }
  } catch (error) {
    return whyUnavailable(provider, { error: reasonOf(error) });
  }
}

/** 1 + 2^-10, the smallest binary16 above 1, and 2^-10 as numbers. */
const [ABOVE_ONE, STEP] = [0x3c01, 2 ** -10];

/** Why a device cannot multiply numbers of 16 bits, or had better not, in words; undefined where it is fit for them. */
async function probeFloat16(provider: Provider): Promise<string | undefined> {
  if (provider === "cpu") return whyNotInHalves(provider);
  const x = inputValue("x", "float32", [1, 2]);
  const w = constantValue({ dtype: "float16", shape: [2, 1], data: Uint16Array.of(ABOVE_ONE, ABOVE_ONE) }, "w");
  const y = cast(gemm(cast(x, "float16"), w), "float32");
  try {
    // A refusal is an answer here, and not for a log.
    const session = wrap(await create(encodeModel({ inputs: [x], outputs: { y } }), {}, provider, { severity: 4 }));
    try {
      const found = await session.run({ x: { dtype: "float32", shape: [1, 2], data: Float32Array.of(2, -1) } });
      const [value] = found.y!.data as Float32Array;
      return value === 1 + STEP ? undefined : `it computes wrongly in 16 bits: ${value} instead of ${1 + STEP}`;
    } finally {
      await session.close();
    }
  } catch (error) {
    return whyNotInHalves(provider, reasonOf(error));
  }
}

function create(
  model: Uint8Array,
  options: SessionOptions,
  provider: Provider,
  // 3: errors and worse; the runtime's hints about unused initializers are not for a peer's log
  { severity = 3, profilePrefix }: { readonly severity?: 3 | 4; readonly profilePrefix?: string | undefined } = {},
): Promise<InferenceSession> {
  const given = options.externalData ?? [];
  const folder = mappedFolder(given);
  return loadOnnxRuntime().InferenceSession.create(model, {
    executionProviders: [provider],
    graphOptimizationLevel: options.isFused ? "basic" : "all",
    // measured: patterns cost 690 MB at SmolLM2-135M's size and gain nothing; DirectML cannot have them
    enableMemPattern: false,
    logSeverityLevel: severity,
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    interOpNumThreads: 1,
    ...(folder === undefined ? { externalData: given.map(({ path, data }) => ({ path, data })) } : {}),
    // packed copies of the weights cost as much memory as the weights for 1 to 9 % of speed
    extra: {
      ...(options.weightsAsStored ? { optimization: { disable_specified_optimizers: NOT_TO_WEIGHTS } } : {}),
      session: {
        ...(options.weightsAsStored ? { disable_quant_qdq: "1", disable_qdq_constant_folding: "1" } : {}),
        disable_prepacking: "1",
        intra_op: { allow_spinning: "1", spin_duration_us: SPIN_MICROSECONDS },
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
    },
  });
}

/**
 * The folder from which the runtime maps all files of weights; undefined when one of them is only in memory.
 * Measured with 400 MB of weights and two sessions: 53 MB of memory of its own, against 1,578 MB with the bytes given.
 */
function mappedFolder(files: readonly ExternalData[]): string | undefined {
  const [first] = files;
  return first?.folder !== undefined && files.every(({ folder }) => folder === first.folder) ? first.folder : undefined;
}

function wrap(session: InferenceSession, onRun?: (milliseconds: number) => void): Session {
  let closed = false;
  return {
    run: async (feeds, outputs) => {
      const inputs = toOrt(feeds);
      // All outputs or none have to be named.
      const given = outputs && { ...Object.fromEntries(session.outputNames.map((n) => [n, null])), ...toOrt(outputs) };
      const began = performance.now();
      const results = await (given ? session.run(inputs, given) : session.run(inputs));
      onRun?.(performance.now() - began);
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [name, outputs?.[name] ?? fromOrt(tensor)]),
      );
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await session.release();
    },
  };
}

function toOrt(tensors: Readonly<Record<string, Tensor>>): Record<string, OrtTensor> {
  const { Tensor: MakeTensor } = loadOnnxRuntime();
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, data, shape }]) => [
      name,
      // The constructor is overloaded by dtype; the pair was checked where the tensor was made.
      new MakeTensor(dtype as "float32", data as Float32Array, shape),
    ]),
  );
}

function fromOrt(tensor: OrtTensor): Tensor {
  return { dtype: tensor.type as Dtype, shape: tensor.dims, data: tensor.data as Float32Array };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
