/**
 * The training engine as the rest of a peer sees it: one frozen base model, one adapter as a flat vector, one private
 * data set. It lives on a thread of its own, because a running step blocks its thread.
 */
import type { AdapterSettings, AdapterTensor } from "../../protocol/adapter-spec.ts";
import type { AgreedBase, TrainingSpec } from "../../protocol/network-manifest.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { PrivacySettings } from "./privacy.ts";

/**
 * One training example as token ids; the loss is taken on tokens[promptLength..] only. For a classifier the text is the
 * prompt, and the one value behind it is the number of its class; for a classifier of tokens the values behind it are the
 * classes of tokens.
 */
export interface Example {
  readonly tokens: readonly number[];
  readonly promptLength: number;
  /**
   * Where not all tokens behind the prompt are learnt: those that the loss is taken on, as ranges [from, to) in order,
   * the first of which begins at promptLength. In a conversation these are the assistant's turns.
   */
  readonly learnt?: readonly (readonly [from: number, to: number])[];
  /**
   * For a classifier of tokens: the places of the tokens whose classes stand behind the prompt, one for each of these
   * classes, in order.
   */
  readonly places?: readonly number[];
  /** Name of the task that it belongs to, for reports; nothing is trained by it. */
  readonly task?: string;
}

/** One peer's data. `validation` guides choices during training (lambda search), `test` is only ever reported. */
export interface ExampleSets {
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly test: readonly Example[];
}

/** How a peer trains is agreed by all of a network. */
export type TrainingSettings = TrainingSpec;

/** Everything a trainer is made from; plain data, so that it can be handed to another thread. */
export interface TrainerOptions {
  /** A Hugging Face model directory. */
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
  readonly training: TrainingSettings;
  /** Seed of everything the peers share (the adapter's start, its frozen tensors). */
  readonly networkSeed: number;
  /** Seed of what is this peer's own (batch order, dropout). */
  readonly peerSeed: number;
  readonly data: ExampleSets;
  /** Whether a classifier's head is trained with the adapter, and sent too when shared. Default: trained, and kept. */
  readonly head?: "trained" | "shared" | "frozen";
  /** How this peer computes. */
  readonly engine: EngineOptions;
  /** The base that the network agreed on: a training on another one is refused. */
  readonly agreedBase?: AgreedBase;
  /**
   * Bytes of activations that are kept from one epoch to the next, where no part of the adapter is below them; 512 MiB
   * when absent, 0 for none.
   */
  readonly activationBytesMax?: number;
  /** Keep a running mean of squared gradients with this decay, which weighs the proximal term; none when absent. */
  readonly fisherDecay?: number;
  /** n, the local steps in all: where a linear or cosine learning rate ends. Those need it. */
  readonly totalSteps?: number;
  /**
   * Example-level privacy of every local step: each example takes part by chance, its gradient is clipped to a norm of
   * `clip`, and the sum gets noise of `noise` times `clip`. Such steps do not repeat bit for bit.
   */
  readonly privacy?: Pick<PrivacySettings, "clip" | "noise">;
}

/** The outcome of some local steps. */
export interface TrainResult {
  /** Loss of each local step, in nats per response token. */
  readonly losses: readonly number[];
  /** Steps whose loss or gradient was not finite; they changed nothing. */
  readonly stepsSkipped: number;
  readonly seconds: number;
}

/** The scores of an adapter on some examples. */
export interface Evaluation {
  /** Mean negative log likelihood in nats per response token. */
  readonly loss: number;
  /** Share of response tokens predicted exactly (teacher forced). */
  readonly accuracy: number;
  /** Share of examples whose whole response is predicted exactly. */
  readonly exactMatch: number;
  readonly tokens: number;
  /** Of a classifier of tokens whose classes begin and continue entities (B-…, I-…). */
  readonly entities?: EntityScore;
  /** Of each task that examples name, by name; absent where none of them does. */
  readonly tasks?: readonly TaskScore[];
  /**
   * Negative log likelihood of each example's response, in nats, summed over its tokens; always in the same order of examples.
   * Only where it was asked for.
   */
  readonly exampleLosses?: readonly number[];
  /** Half of the 95 % interval of `loss` over examples drawn like these; only with `exampleLosses`, and of two or more. */
  readonly interval?: number;
}

/** Entities that are found with the right kind, beginning and end. */
export interface EntityScore {
  /** Share of the entities that are said to be there. */
  readonly precision: number;
  /** Share of the entities that are there. */
  readonly recall: number;
  /** Their harmonic mean. */
  readonly f1: number;
  /** Entities that are there. */
  readonly count: number;
}

/** Tasks that are told apart, the first by name: as many as a table is read with, and a bound on what a report holds. */
export const TASKS_MAX = 32;

/** Loss and accuracy, as above, on the examples of one task. */
export interface TaskScore {
  readonly task: string;
  readonly loss: number;
  readonly accuracy: number;
}

/**
 * The optimiser's and the batch order's position, enough to go on after a restart with the same bits. Its vectors hold
 * all trained values, those included that the peer keeps to itself; everywhere else an adapter is what travels.
 */
export interface TrainerState {
  readonly adapter: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** F, the running mean of squared gradients; with `fisherDecay` only. */
  readonly fisher?: Float32Array;
  /** Local steps taken since the start. */
  readonly step: number;
}

/** What the frozen base model makes of training examples. */
export interface PooledFeatures {
  /**
   * f32[N, width]: of each example the mean over its tokens of the last hidden state, behind the final norm; of a
   * classifier's over the text, as the encoder gives it.
   */
  readonly values: Float32Array;
  readonly width: number;
  /** Of each example, where the model is a classifier. */
  readonly classes?: readonly number[];
  /** Classes of the model; 1 where it is no classifier. */
  readonly classCount: number;
}

/** Trains and evaluates one adapter of one peer. */
export interface Trainer {
  /** The adapter's tensors that travel, in flat order; known once the trainer is ready. */
  readonly tensors: readonly AdapterTensor[];
  /** Take `steps` local steps.  Throws: NodeError TRAINING_DIVERGED when too many steps in a row are not finite. */
  train(options: { readonly steps: number; readonly onStep?: (loss: number) => void }): Promise<TrainResult>;
  /** Evaluate an adapter (this trainer's own when absent; all-zero effect with `"base"`) on one of the sets. */
  evaluate(options: {
    readonly set: keyof ExampleSets;
    readonly adapter?: Float32Array | "base";
    readonly examplesMax?: number;
    readonly perExample?: boolean;
  }): Promise<Evaluation>;
  /** The current adapter as it travels, a copy. */
  adapter(): Promise<Float32Array>;
  /** The network's common start as it travels, which is the same on all peers. */
  start(): Promise<Float32Array>;
  /**
   * Replace the adapter, keeping the optimiser's moments and the tensors that do not travel. Rotations are retracted to
   * orthonormal rows.
   */
  setAdapter(adapter: Float32Array): Promise<void>;
  /**
   * m of the proximal term l2/2 |theta - m|^2, of the tensors that travel, in the gauge of the adapter that training
   * goes on from; without it, at first and after `reset`, there is no such term. It is not part of the state.
   */
  setReference(reference: Float32Array | undefined): Promise<void>;
  /** Weights f of the tensors that travel, 1 on average (see fisher.ts); undefined without `fisherDecay`. */
  fisher(): Promise<Float32Array | undefined>;
  /** Of the training examples with these numbers, in their order, without any adapter. */
  features(options: { readonly examples: readonly number[] }): Promise<PooledFeatures>;
  state(): Promise<TrainerState>;
  restore(state: TrainerState): Promise<void>;
  /** Back to the network's common start: adapter, moments and batch order. */
  reset(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
