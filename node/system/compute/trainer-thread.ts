/**
 * A trainer on a thread of its own, because a running session blocks its thread for whole local steps and a blocked
 * event loop drops the network's connections. Calls are answered one after another, in order.
 */
import type { Worker } from "node:worker_threads";
import type { AdapterTensor } from "../../../protocol/adapter-spec.ts";
import type { AggregateOptions, Aggregator, DataSketch, SketchOptions } from "../../aggregation/index.ts";
import type { NodeErrorCode } from "../../errors.ts";
import { NodeError } from "../../errors.ts";
import type { Trainer, TrainerOptions } from "../../interface/trainer.ts";
import type { WorkNews } from "../../interface/work.ts";
import { untilAborted } from "../../until-aborted.ts";
import { tellWork } from "../platform/work-channel.ts";
import { silenceOnnxRuntime } from "./load-onnxruntime.ts";
import { keepThread, takeThread } from "./waiting-threads.ts";

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
  | { readonly method: "open"; readonly argument: TrainerOptions }
  | { readonly method: "aggregate"; readonly argument: AggregateOptions }
  | { readonly method: "sketch"; readonly argument: SketchCall }
  | { readonly method: "distances"; readonly argument: SketchPairs };

/** A message to the thread: a call and its number. */
export type ToWorker = { readonly id: number } & TrainerCall;

/** A message of the thread. `id` is the number of the call that it belongs to. */
export type FromWorker =
  | { readonly kind: "work"; readonly news: WorkNews }
  | { readonly kind: "step"; readonly id: number; readonly loss: number }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: SerializedError };

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
 * Start the thread, load the model, build the graphs.  onAnswer: called before each answer.
 * Throws: what `createTrainer` throws; the signal's reason, with the thread ended.
 */
export async function startTrainerThread(
  options: TrainerOptions,
  { onAnswer = () => {}, signal }: { readonly onAnswer?: () => void; readonly signal?: AbortSignal | undefined } = {},
): Promise<TrainerThread> {
  silenceOnnxRuntime();
  const thread = new CalledThread(takeThread(), onAnswer);
  let tensors: readonly AdapterTensor[];
  try {
    tensors = await untilAborted(thread.call({ method: "open", argument: options }), signal);
  } catch (error) {
    await thread.leave();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const call = <T>(request: TrainerCall, onStep?: (loss: number) => void): Promise<T> => thread.call(request, onStep);
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
        if (thread.isAlive) await thread.call({ method: "close", argument: undefined });
        await thread.leave();
      })();
      return closing;
    },
  };
}

/** A thread for the time of one training: its calls, and who waits for their answers. */
class CalledThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #onAnswer: () => void;
  #failure: Error | undefined;
  #nextId = 1;

  constructor(worker: Worker, onAnswer: () => void) {
    this.#worker = worker;
    this.#onAnswer = onAnswer;
    worker.on("message", this.#hear).on("error", this.#fail).on("exit", this.#ended);
  }

  get isAlive(): boolean {
    return this.#failure === undefined;
  }

  call<T>(request: TrainerCall, onStep?: (loss: number) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject, onStep });
      this.#worker.postMessage({ id, ...request } as ToWorker);
    });
  }

  /** Nothing is called any more: the thread is free for another training. */
  async leave(): Promise<void> {
    this.#worker.off("message", this.#hear).off("error", this.#fail).off("exit", this.#ended);
    if (!this.isAlive || this.#pending.size > 0) await this.#worker.terminate();
    else keepThread(this.#worker);
    this.#fail(new Error("the training is closed"));
  }

  readonly #hear = (message: FromWorker): void => {
    this.#onAnswer();
    if (message.kind === "work") tellWork(ofAnotherThread(message.news));
    else if (message.kind === "step") this.#pending.get(message.id)?.onStep?.(message.loss);
    else settle(this.#pending, message);
  };

  readonly #fail = (error: Error): void => {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  };

  readonly #ended = (code: number): void => this.#fail(new Error(`the training thread ended with code ${code}`));
}

function settle(pending: Map<number, Pending>, message: Extract<FromWorker, { kind: "result" | "error" }>): void {
  const waiting = pending.get(message.id);
  if (!waiting) return;
  pending.delete(message.id);
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
