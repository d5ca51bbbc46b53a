/** What a training would take of this machine's memory, for each form of the base, before anything is allocated. */
import { type AdapterSettings, adapterSlots } from "../../protocol/adapter-spec.ts";
import { BASE_FORMS, type BaseForm } from "../../protocol/settings/base-forms.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { NodeError } from "../errors.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { TrainerOptions } from "../interface/trainer.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { withUnmadeCopies } from "../model/base/unmade-copies.ts";
import { loadBaseModel, type ModelFiles } from "../model/huggingface.ts";
import { heapBytes, releaseHeap } from "../system/compute/release-heap.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { type MachineMemory, machineMemory } from "../system/platform/memory.ts";
import { trainedHead } from "../training/classification.ts";
import { type MemoryNeeded, memoryNeeded, memorySpare } from "../training/memory-needed.ts";
import { inPrecision } from "../training/precision/precision.ts";

/** A training whose memory is asked for. */
export interface FitOptions {
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
  /** Examples of a batch. */
  readonly examples: number;
  /** Tokens of the longest one; at most the model's context. */
  readonly tokens: number;
}

/** One way of training, and what it takes. */
export interface FitRow extends Required<Pick<EngineOptions, "base" | "lowMemory" | "streamBlocks">> {
  readonly needed: MemoryNeeded;
  readonly fits: boolean;
}

/** All ways of training, and the best that fits. */
export interface Fit {
  readonly memory: MachineMemory;
  readonly tokens: number;
  readonly rows: readonly FitRow[];
  /** Absent where nothing fits. */
  readonly best?: FitRow;
}

/** From the closest to the model as it is, and the fastest, to the smallest. */
const PREFERRED: readonly (readonly [BaseForm, keyof typeof WAYS])[] = [
  ["f32", "plain"],
  ["f16", "plain"],
  ["f16", "lowMemory"],
  ["q8", "plain"],
  ["q8", "lowMemory"],
  ["q8-e8", "lowMemory"],
  ["q4", "plain"],
  ["q4", "lowMemory"],
  ["q4-e8", "lowMemory"],
  ["f16", "streamBlocks"],
  ["q8", "streamBlocks"],
  ["q4", "streamBlocks"],
  ["q4-e8", "streamBlocks"],
];

/** Ways to train on one form of the base, from the fastest to the smallest. */
const WAYS = {
  plain: { lowMemory: false, streamBlocks: false },
  lowMemory: { lowMemory: true, streamBlocks: false },
  streamBlocks: { lowMemory: false, streamBlocks: true },
} as const;

/** Throws: MODEL_MISSING, MODEL_CONFIG, SAFETENSORS_INVALID, ADAPTER_SETTINGS. */
export function fitModel({ modelDirectory, adapter, examples, ...options }: FitOptions): Fit {
  const files = readModelFiles(modelDirectory);
  const memory = machineMemory();
  const tokens = Math.min(options.tokens, loadBaseModel(files).shape.contextTokens);
  const rows = BASE_FORMS.flatMap((base) =>
    Object.values(WAYS).map((way): FitRow => {
      const needed = neededBy(files, { adapter, examples, tokens, engine: { base, ...way } });
      return { base, ...way, needed, fits: memorySpare(needed, memory.available) >= 0 };
    }),
  );
  const best = PREFERRED.map(([base, name]) => {
    const { lowMemory, streamBlocks } = WAYS[name];
    const isThis = (row: FitRow): boolean =>
      row.base === base && row.lowMemory === lowMemory && row.streamBlocks === streamBlocks;
    return rows.find((row) => row.fits && isThis(row));
  }).find((row) => row !== undefined);
  return { memory, tokens, rows, ...(best && { best }) };
}

/** A training that is about to begin: what it takes, and what there is. */
export interface TrainingMemory {
  readonly needed: MemoryNeeded;
  readonly memory: MachineMemory;
}

/**
 * The memory of a training on examples that are known.
 * Throws: CONFIG_INVALID where it will not fit; as `fitModel`.
 */
export function trainingMemory({
  modelDirectory,
  adapter,
  training,
  data,
  engine,
}: Pick<TrainerOptions, "modelDirectory" | "adapter" | "training" | "data" | "engine">): TrainingMemory {
  const all = [...data.train, ...data.validation, ...data.test];
  const tokens = all.reduce((most, example) => Math.max(most, example.tokens.length), 2);
  const since = heapBytes();
  const needed = neededBy(readModelFiles(modelDirectory), { adapter, engine, examples: training.batchSize, tokens });
  releaseHeap({ since });
  const memory = machineMemory();
  if (memorySpare(needed, memory.available) >= 0) return { needed, memory };
  const [wanted, available] = [needed.total, memory.available].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  const text = `this training takes about ${wanted} of memory, and ${available} are available`;
  const facts = { neededBytes: needed.total, availableBytes: memory.available, problem: "memory-short" } as const;
  throw new NodeError("CONFIG_INVALID", text, facts);
}

/** What one way of training takes.  Throws: as `fitModel`. */
export function neededBy(
  files: ModelFiles,
  {
    adapter,
    engine,
    ...size
  }: Pick<FitOptions, "adapter" | "examples" | "tokens"> & { readonly engine: EngineOptions },
): MemoryNeeded {
  const unmade = withUnmadeCopies(files);
  const model = inPrecision(inBaseForm(loadBaseModel(unmade), unmade, engine.base), unmade, engine.precision);
  const method = adapterMethod(adapter);
  // A head that the files do not hold yet is trained as well.
  const slots = adapterSlots([...method.tensors(adapter, model.shape), ...trainedHead(model)]);
  const frozen = method.frozen(adapter, model.shape, 0);
  return memoryNeeded({ model, adapter, slots, frozen }, { ...size, engine });
}
