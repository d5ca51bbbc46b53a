/** Optimisers on one flat vector, AdamW and gradient descent with momentum, and clipping of the gradient's norm. */

export interface AdamWSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Decay of the mean of gradients; 0.9 in the paper. */
  readonly beta1?: number;
  /** Decay of the mean of squares; 0.999 in the paper. */
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** Gradient descent, with momentum where `momentum` is above 0. */
export interface SgdSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** 0, plain gradient descent, when absent. */
  readonly momentum?: number;
}

/** The memory that the optimiser keeps between steps. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Steps taken. */
  step: number;
}

/** The moments before the first step, for `length` values. */
export function zeroMoments(length: number): Moments {
  return { first: new Float32Array(length), second: new Float32Array(length), step: 0 };
}

/** One step, in place, of the optimiser that the settings name. */
export function optimizerStep(
  theta: Float32Array,
  gradient: Float32Array,
  moments: Moments,
  settings: SgdSettings & { readonly optimizer: "adamw" | "sgd" },
): void {
  const step = { adamw: adamWStep, sgd: sgdStep }[settings.optimizer];
  step(theta, gradient, moments, settings);
}

/**
 * One step, in place: m <- b1 m + (1-b1) g; v <- b2 v + (1-b2) g^2;
 * theta <- theta - lr (m / (1-b1^t) / (sqrt(v / (1-b2^t)) + eps) + decay theta).
 * Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
 */
export function adamWStep(
  theta: Float32Array,
  gradient: Float32Array,
  moments: Moments,
  { learningRate, weightDecay, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamWSettings,
): void {
  moments.step += 1;
  const { first, second, step } = moments;
  const firstCorrection = 1 - beta1 ** step;
  const secondCorrection = 1 - beta2 ** step;
  for (let i = 0; i < theta.length; i++) {
    const g = gradient[i]!;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const v = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    const update = m / firstCorrection / (Math.sqrt(v / secondCorrection) + epsilon);
    theta[i] = theta[i]! - learningRate * (update + weightDecay * theta[i]!);
  }
}

/**
 * One step, in place: g' = g + decay theta; m <- momentum m + g'; theta <- theta - lr m. The first moment is m, the
 * second stays as it is.
 * Source: Sutskever et al. 2013, in the form in which the learning rate stands outside of m, as PyTorch's SGD has it.
 */
export function sgdStep(
  theta: Float32Array,
  gradient: Float32Array,
  moments: Moments,
  { learningRate, weightDecay, momentum = 0 }: SgdSettings,
): void {
  moments.step += 1;
  const { first } = moments;
  for (let i = 0; i < theta.length; i++) {
    const m = momentum * first[i]! + gradient[i]! + weightDecay * theta[i]!;
    first[i] = m;
    theta[i] = theta[i]! - learningRate * m;
  }
}

/** Scale the gradient down, in place, to the given Euclidean norm; returns the norm it had (NaN when not finite). */
export function clipGradient(gradient: Float32Array, normMax: number): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  const norm = Math.sqrt(sum);
  if (norm > normMax) {
    const scale = normMax / norm;
    for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i]! * scale;
  }
  return Number.isFinite(norm) ? norm : Number.NaN;
}
