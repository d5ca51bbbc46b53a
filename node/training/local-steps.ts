/**
 * The state that local training moves: the trained vector, the optimiser's moments, the reference and the Fisher
 * scores.
 */
import { NodeError } from "../errors.ts";
import type { TrainerState, TrainingSettings } from "../interface/trainer.ts";
import { accumulateFisher, fisherWeights } from "./fisher.ts";
import { clipGradient, type Moments, optimizerStep, zeroMoments } from "./optimizer.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepGradient } from "./step-gradient.ts";
import type { TrainedTensors } from "./trained-tensors.ts";

/** How steps are taken. */
export interface LocalStepSettings {
  readonly training: TrainingSettings;
  /** Local steps in all, where the learning rate falls; infinite where it does not. */
  readonly totalSteps: number;
  /** Decay of the running mean of squared gradients; undefined where none is kept. */
  readonly fisherDecay: number | undefined;
}

/** Takes local steps, one after another. */
export class LocalSteps {
  readonly #gradients: Pick<StepGradient, "at">;
  readonly #tensors: TrainedTensors;
  readonly #settings: LocalStepSettings;
  readonly #gradient: Float32Array;
  #theta: Float32Array;
  #moments: Moments;
  #reference: Float32Array | undefined;
  #fisher: Float32Array | undefined;

  constructor(
    { gradients, tensors }: { readonly gradients: Pick<StepGradient, "at">; readonly tensors: TrainedTensors },
    settings: LocalStepSettings,
  ) {
    this.#gradients = gradients;
    this.#tensors = tensors;
    this.#settings = settings;
    this.#theta = tensors.start();
    this.#moments = zeroMoments(this.#theta.length);
    this.#fisher = settings.fisherDecay === undefined ? undefined : new Float32Array(this.#theta.length);
    this.#gradient = new Float32Array(this.#theta.length);
  }

  /** theta f32[P], not a copy. */
  get theta(): Float32Array {
    return this.#theta;
  }

  /** Local steps taken since the start. */
  get count(): number {
    return this.#moments.step;
  }

  /** One local step.  Returns the loss in nats per label, or NaN for a step that changed nothing. */
  async step(): Promise<number> {
    const { training, totalSteps, fisherDecay } = this.#settings;
    const gradient = this.#gradient;
    const fisher = this.#fisher;
    // What a peer keeps to itself has no reference: it is held to where it is.
    const reference = (training.proximal ?? 0) > 0 ? this.#reference : undefined;
    const held = reference && this.#tensors.sent.withSent(this.#theta, reference);
    const weights = held && fisher ? this.#heldWeights(fisher) : undefined;
    const loss = await this.#gradients.at(this.#moments.step, this.#theta, held, gradient, weights);
    // Of the loss on the examples alone: the proximal term's own gradient is no sign of what matters.
    const scores = fisher ? this.#scores(held, weights) : gradient;
    if (!Number.isFinite(loss) || Number.isNaN(clipGradient(gradient, training.gradientClip))) {
      this.#moments.step += 1;
      return Number.NaN;
    }
    if (fisher && fisherDecay !== undefined) accumulateFisher(fisher, scores, fisherDecay);
    const learningRate = learningRateAt(this.#moments.step, training, totalSteps);
    const { headLearningRate = training.learningRate } = training;
    const head = this.#theta.subarray(this.#tensors.headFrom);
    const before = headLearningRate === training.learningRate ? undefined : head.slice();
    optimizerStep(this.#theta, gradient, this.#moments, { ...training, learningRate });
    if (before) {
      // A step of either optimiser is its rate times something: a head with a rate of its own goes as much further.
      const ratio = headLearningRate / training.learningRate;
      for (const [i, value] of before.entries()) head[i] = value + ratio * (head[i]! - value);
    }
    this.#tensors.retract(this.#theta);
    return loss;
  }

  /** Replace the values that travel; those that are kept, and the moments, stay. */
  setSent(vector: Float32Array): void {
    this.#theta = this.#tensors.sent.withSent(this.#theta, vector);
    this.#tensors.retract(this.#theta);
  }

  /** m of the proximal term, of the values that travel; undefined for no such term.  Throws: ADAPTER_SHAPE. */
  setReference(vector: Float32Array | undefined): void {
    // The length is checked where the vector is put in.
    if (vector) this.#tensors.sent.withSent(this.#theta, vector);
    this.#reference = vector?.slice();
  }

  /** Fisher weights of the values that travel, 1 on average; undefined where no squared gradients are kept. */
  fisherOfSent(): Float32Array | undefined {
    return this.#fisher && fisherWeights(this.#tensors.sent.sentOf(this.#fisher));
  }

  /** Everything that the next step depends on but the reference; copies. */
  state(): TrainerState {
    return {
      adapter: this.#theta.slice(),
      firstMoment: this.#moments.first.slice(),
      secondMoment: this.#moments.second.slice(),
      step: this.#moments.step,
      ...(this.#fisher && { fisher: this.#fisher.slice() }),
    };
  }

  /** Go on from a state.  Throws: ADAPTER_SHAPE when a vector has another length. */
  restore(state: TrainerState): void {
    this.#theta = this.#checked(state.adapter).slice();
    this.#moments = {
      first: this.#checked(state.firstMoment).slice(),
      second: this.#checked(state.secondMoment).slice(),
      step: state.step,
    };
    // A network that did not weigh by squared gradients before begins to gather them now.
    if (this.#fisher) {
      this.#fisher = state.fisher ? this.#checked(state.fisher).slice() : new Float32Array(this.#theta.length);
    }
  }

  /** Back to the common start. */
  reset(): void {
    this.#theta = this.#tensors.start();
    this.#moments = zeroMoments(this.#theta.length);
    this.#fisher?.fill(0);
    this.#reference = undefined;
  }

  /** f of the values that travel, 1 for those that are kept. */
  #heldWeights(fisher: Float32Array): Float32Array {
    const { sent } = this.#tensors;
    return sent.withSent(new Float32Array(fisher.length).fill(1), fisherWeights(sent.sentOf(fisher)));
  }

  /** The gradient without l2 f (theta - m), a copy. */
  #scores(held: Float32Array | undefined, weights: Float32Array | undefined): Float32Array {
    if (held === undefined) return this.#gradient.slice();
    const { proximal = 0 } = this.#settings.training;
    const theta = this.#theta;
    return this.#gradient.map((g, i) => g - proximal * (weights?.[i] ?? 1) * (theta[i]! - held[i]!));
  }

  #checked(vector: Float32Array): Float32Array {
    const { length } = this.#theta;
    if (vector.length === length) return vector;
    const text = `an adapter of ${vector.length} values where the settings ask for ${length}`;
    throw new NodeError("ADAPTER_SHAPE", text, { values: vector.length, expected: length });
  }
}
