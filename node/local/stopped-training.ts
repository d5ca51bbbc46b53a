/**
 * Where a training stopped, kept in a file beside its adapter: the optimiser's moments, the place in the schedule and in
 * the order of the batches, and what both depend on. So the training goes on with the same bits as if it had not stopped.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { training as trainingSchema } from "../../protocol/manifest-schema.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { TrainerState } from "../interface/trainer.ts";
import type { FolderFiles } from "../system/files/adapter-files.ts";
import { readFolderFile } from "../system/files/adapter-files.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../system/files/checkpoint-file.ts";

/** The file's name in the folder of an adapter. */
export const TRAINING_STATE = "training-state.safetensors";

/** The engine's options that decide which examples stand in a batch. */
export const ORDER_OPTIONS = ["lengthBuckets", "pack"] as const satisfies readonly (keyof EngineOptions)[];

/** The best step so far, by the loss on the validation set. */
export interface BestStep {
  /** Optimiser steps that were taken until then. */
  readonly step: number;
  /** In nats per response token. */
  readonly loss: number;
  /** Evaluations since then, none of which was better. */
  readonly waited: number;
}

/** When a training looks at its validation set, and when it gives up. */
export interface Watching {
  /** Optimiser steps between two evaluations; there is one after the last step, too. */
  readonly everySteps: number;
  /** Evaluations in a row without a better one after which training stops; it does not when absent. */
  readonly patience?: number | undefined;
}

/** A training that can go on. */
export interface StoppedTraining {
  readonly training: TrainingSpec;
  /** Seed of the embedded tasks; the adapter has that of the batch order. */
  readonly seed: number;
  readonly order: Pick<EngineOptions, (typeof ORDER_OPTIONS)[number]>;
  /** n of the schedule: the steps that were asked for, taken or not. */
  readonly plannedSteps: number;
  /** Digest of the training examples in their order; see round/example-digests.ts. */
  readonly examples: string;
  /** Absent where the training does not look at its validation set. */
  readonly watching?: Watching | undefined;
  /** Absent where nothing was evaluated on the way; else the adapter beside the file is the one of that step. */
  readonly best?: BestStep;
  readonly state: TrainerState;
}

const whole = z.number().int().min(0);
const description = z.strictObject({
  /** Of the values of the adapter that the file belongs to. */
  adapter: z.string(),
  training: trainingSchema,
  seed: whole,
  order: z.strictObject({ lengthBuckets: whole.optional(), pack: z.boolean().optional() }),
  plannedSteps: whole,
  examples: z.string(),
  watching: z.strictObject({ everySteps: whole.min(1), patience: whole.min(1).optional() }).optional(),
  best: z.strictObject({ step: whole, loss: z.number(), waited: whole }).optional(),
  step: whole,
});

/** The file, as one to write into the folder of the adapter. */
export function stoppedTrainingFiles({ state, ...stopped }: StoppedTraining, adapter: SavedAdapter): FolderFiles {
  const { adapter: theta, firstMoment, secondMoment, step } = state;
  const vectors = new Map(Object.entries({ theta, firstMoment, secondMoment }));
  const bytes = encodeCheckpoint({ vectors, state: { adapter: digestOf(adapter), ...stopped, step } });
  return new Map([[TRAINING_STATE, bytes]]);
}

/**
 * Where the training of an adapter stopped; undefined for a folder that does not say.
 * Throws: ADAPTER_FILE for a file that is damaged or belongs to another adapter.
 */
export async function stoppedTraining(folder: string, adapter: SavedAdapter): Promise<StoppedTraining | undefined> {
  const bytes = await readFolderFile(folder, TRAINING_STATE);
  if (bytes === undefined) return undefined;
  const path = `${folder}/${TRAINING_STATE}`;
  const fail = (what: string, cause?: unknown): NodeError => {
    const text = `${path} ${what}; copy it again, or remove it to begin optimiser, schedule and batch order anew`;
    return new NodeError("ADAPTER_FILE", text, { folder }, { cause });
  };
  let read: Omit<StoppedTraining, "state"> & { readonly step: number; readonly adapter: string };
  let vectors: ReadonlyMap<string, Float32Array>;
  try {
    const checkpoint = decodeCheckpoint(bytes, path);
    read = description.parse(checkpoint.state) as typeof read;
    ({ vectors } = checkpoint);
  } catch (cause) {
    throw fail("cannot be read", cause);
  }
  const { adapter: digest, step, ...stopped } = read;
  if (digest !== digestOf(adapter)) throw fail("is of another adapter than the one beside it");
  const [theta, firstMoment, secondMoment] = ["theta", "firstMoment", "secondMoment"].map((name) => vectors.get(name));
  if (!theta || !firstMoment || !secondMoment) throw fail("lacks a vector");
  return { ...stopped, state: { adapter: theta, firstMoment, secondMoment, step } };
}

function digestOf({ values }: SavedAdapter): string {
  return bytesToHex(sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
}

/**
 * What a training is to go on with, compared with what it stopped with. What decides about what the moments mean, or about which
 * examples come next, must be the same. The rest, such as the learning rate and its schedule, may be another from here on:
 * returned are the names of what is.
 * Throws: CONFIG_INVALID naming the first such field.
 */
export function changedSettings(
  stopped: StoppedTraining,
  now: Pick<StoppedTraining, "training" | "order">,
): readonly string[] {
  const [before, after] = [flat(stopped), flat(now)];
  for (const name of FIXED) {
    if (before[name] === after[name]) continue;
    const text = `${name} was ${before[name]} where the training stopped, and is ${after[name]} now`;
    throw new NodeError("CONFIG_INVALID", text, { name, problem: "training-changed" });
  }
  const all = Object.keys({ ...before, ...after }).toSorted();
  const free = all.filter((name) => !(FIXED as readonly string[]).includes(name));
  return free.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])).sort();
}

const FIXED = ["optimizer", "momentum", "batchSize", "accumulate", "maxTokens", ...ORDER_OPTIONS] as const;

function flat({ training, order }: Pick<StoppedTraining, "training" | "order">): Readonly<Record<string, unknown>> {
  const absent = { momentum: 0, accumulate: 1, lengthBuckets: 1, pack: false, schedule: "constant" };
  return { ...absent, ...training, ...order };
}

/** Whether the batches are those that come next.  Throws: DATA_MISMATCH. */
export function checkSameTraining(stopped: StoppedTraining, examples: string): void {
  if (stopped.examples === examples) return;
  const text = "the training examples are not those that the adapter was trained on, or in another order";
  throw new NodeError("DATA_MISMATCH", text, { problem: "training-changed" });
}
