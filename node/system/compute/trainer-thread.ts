/**
 * A trainer on a thread of its own, because a running session blocks its thread for whole local steps and a blocked
 * event loop drops the network's connections. Calls are answered one after another, in order.
 */
import { Worker } from "node:worker_threads";
import type { AdapterTensor } from "../../../protocol/adapter-spec.ts";
import type { AggregateOptions, Aggregator, DataSketch, SketchOptions } from "../../aggregation/index.ts";
import type { NodeErrorCode } from "../../errors.ts";
import { NodeError } from "../../errors.ts";
import type { Trainer, TrainerOptions } from "../../interface/trainer.ts";
import type { WorkNews } from "../../interface/work.ts";
import { tellWork } from "../platform/work-channel.ts";
import { silenceOnnxRuntime } from "./load-onnxruntime.ts";

/** Also aggregates: it waits while its peer does, and the network's thread must not. */
export interface TrainerThread extends Trainer {
  readonly aggregate: Aggregator;
  /** The sketch of the training examples with these numbers; its noise is drawn in the thread. */
  sketch(options: SketchCall): Promise<DataSketch>;
  /** D of `sketchDistance` from one sketch to others. */
  distances(options: SketchPairs): Promise<readonly number[]>;
}

/** The examples of a sketch, and how it is computed; the noise is drawn on the thread. */
export type SketchCall = Omit<SketchOptions, "normal"> & { readonly examples: readonly number[] };
/** One sketch and those that it is compared with. */
export interface SketchPairs {
  readonly own: DataSketch;
  readonly others: readonly DataSketch[];
}

/** The calls that travel; `train` reports its steps by `step` messages on the way. */
export type TrainerCall =
  | {
      [Method in Exclude<keyof Trainer, "tensors">]: {
        readonly method: Method;
        readonly argument: Method extends "train" ? { readonly steps: number } : Parameters<Trainer[Method]>[0];
      };
    }[Exclude<keyof Trainer, "tensors">]
  | { readonly method: "aggregate"; readonly argument: AggregateOptions }
  | { readonly method: "sketch"; readonly argument: SketchCall }
  | { readonly method: "distances"; readonly argument: SketchPairs };

/** A message to the thread: a call and its number. */
export type ToWorker = { readonly id: number } & TrainerCall;

/** A message of the thread. `id` is the number of the call that it belongs to. */
export type FromWorker =
  | { readonly kind: "ready"; readonly tensors: readonly AdapterTensor[] }
  | { readonly kind: "work"; readonly news: WorkNews }
  | { readonly kind: "step"; readonly id: number; readonly loss: number }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id?: number; readonly error: SerializedError };

/** An error as it crosses from one thread to the other. */
export interface SerializedError {
  readonly code?: NodeErrorCode;
  readonly message: string;
  readonly stack?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly onStep?: ((loss: number) => void) | undefined;
}

/**
 * Room for short-lived objects of JavaScript: building a graph leaves as much garbage as is let lie. Measured at
 * SmolLM2-135M's size: 43 MB less at the peak than with the usual room of 48 MB, and graphs are built as fast.
 */
export const YOUNG_MB = 6;

/** Start the thread, load the model, build the graphs.  onAnswer: called before each answer.  Throws: what `createTrainer` throws. */
export async function startTrainerThread(
  options: TrainerOptions,
  { onAnswer = () => {} }: { readonly onAnswer?: () => void } = {},
): Promise<TrainerThread> {
  silenceOnnxRuntime();
  // The compiled package runs the compiled worker.
  const file = import.meta.url.endsWith(".ts") ? "./trainer-worker.ts" : "./trainer-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const pending = new Map<number, Pending>();
  let failure: Error | undefined;
  let closing: Promise<void> | undefined;
  let nextId = 1;

  const fail = (error: Error): void => {
    failure ??= error;
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  const tensors = await new Promise<readonly AdapterTensor[]>((resolve, reject) => {
    worker.on("message", (message: FromWorker) => {
      onAnswer();
      if (message.kind === "work") tellWork(ofAnotherThread(message.news));
      else if (message.kind === "ready") resolve(message.tensors);
      else if (message.kind === "step") pending.get(message.id)?.onStep?.(message.loss);
      else if (message.kind === "error" && message.id === undefined) reject(revive(message.error));
      else settle(pending, message);
    });
    worker.on("error", (error) => {
      fail(error);
      reject(error);
    });
    worker.on("exit", (code) => {
      const error = new Error(`the training thread ended with code ${code}`);
      fail(error);
      reject(error);
    });
  });

  const call = <T>(request: TrainerCall, onStep?: (loss: number) => void): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (failure) return reject(failure);
      const id = nextId++;
      pending.set(id, { resolve, reject, onStep });
      worker.postMessage({ id, ...request } as ToWorker);
    });
  return {
    tensors,
    train: ({ steps, onStep }) => call({ method: "train", argument: { steps } }, onStep),
    evaluate: (argument) => call({ method: "evaluate", argument }),
    adapter: () => call({ method: "adapter", argument: undefined }),
    start: () => call({ method: "start", argument: undefined }),
    setAdapter: (argument) => call({ method: "setAdapter", argument }),
    setReference: (argument) => call({ method: "setReference", argument }),
    features: (argument) => call({ method: "features", argument }),
    sketch: (argument) => call({ method: "sketch", argument }),
    distances: (argument) => call({ method: "distances", argument }),
    fisher: () => call({ method: "fisher", argument: undefined }),
    state: () => call({ method: "state", argument: undefined }),
    restore: (argument) => call({ method: "restore", argument }),
    aggregate: (argument) => call({ method: "aggregate", argument }),
    reset: () => call({ method: "reset", argument: undefined }),
    close: () => {
      closing ??= (async () => {
        if (!failure) await call({ method: "close", argument: undefined });
        await worker.terminate();
      })();
      return closing;
    },
  };
}

function settle(pending: Map<number, Pending>, message: Extract<FromWorker, { kind: "result" | "error" }>): void {
  const waiting = message.id === undefined ? undefined : pending.get(message.id);
  if (!waiting) return;
  pending.delete(message.id!);
  if (message.kind === "result") waiting.resolve(message.value as never);
  else waiting.reject(revive(message.error));
}

function revive({ code, message, stack, facts }: SerializedError): Error {
  const error = code === undefined ? new Error(message) : new NodeError(code, message, facts);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Work that holds that thread does not hold this one. */
function ofAnotherThread(news: WorkNews): WorkNews {
  if ("isOver" in news) return news;
  const { blocks: _, ...work } = news;
  return work;
}
