/**
 * Renyi differential privacy of the Gaussian mechanism on a Poisson sample: every record takes part in a release
 * independently with probability q, and noise of standard deviation sigma times the sensitivity is added to the sum.
 * Neighbouring data sets differ by one record that is there or not.
 * Source: Mironov, Talwar and Zhang 2019, arXiv:1908.10530, section 3.3.
 */
export interface SampledGaussian {
  /** sigma: standard deviation of the noise over the sensitivity, above 0. */
  readonly noise: number;
  /** q: probability that a record takes part, above 0 and at most 1. */
  readonly rate: number;
}

/** Standard deviations on either side beyond which the integrand of a fractional order is below float64's rounding. */
const REACH = 12;
/** Points of the integral within the smaller of sigma and sigma^2: an error of exp(-2 pi^2 4^2), far below rounding. */
const POINTS_PER_WIDTH = 4;
/** Most points of one integral; noise so small that more were needed protects nothing. */
const POINTS_MAX = 4_000_000;

/**
 * Renyi divergence of order alpha > 1 that one release costs, in nats:
 * (1/(alpha-1)) log E[((1-q) + q exp((2z-1)/(2 sigma^2)))^alpha], z ~ N(0, sigma^2); alpha / (2 sigma^2) where q = 1.
 * Infinity where it cannot be computed.  Throws: RangeError for settings out of their ranges.
 */
export function renyiOfRelease(order: number, { noise, rate }: SampledGaussian): number {
  if (!(order > 1)) throw new RangeError(`a Renyi order of ${order} is not above 1`);
  if (!(noise > 0)) throw new RangeError(`a noise multiplier of ${noise} is not above 0`);
  if (!(rate > 0 && rate <= 1)) throw new RangeError(`a sampling rate of ${rate} is not above 0 and at most 1`);
  if (rate === 1) return order / (2 * noise * noise);
  const logMoment = Number.isInteger(order) ? integerMoment(order, noise, rate) : fractionalMoment(order, noise, rate);
  // Rounding may leave a moment of 1 a hair below it; no divergence is negative.
  return Math.max(0, logMoment) / (order - 1);
}

/** log sum_k C(alpha, k) (1-q)^(alpha-k) q^k exp((k^2-k) / (2 sigma^2)). */
function integerMoment(order: number, noise: number, rate: number): number {
  const logs: number[] = [];
  let logBinomial = 0;
  for (let k = 0; k <= order; k++) {
    const weight = logBinomial + k * Math.log(rate) + (order - k) * Math.log1p(-rate);
    logs.push(weight + (k * k - k) / (2 * noise * noise));
    logBinomial += Math.log(order - k) - Math.log(k + 1);
  }
  return logSum(logs);
}

/**
 * log of the integral of n(z; 0, sigma^2) m(z)^alpha, m = (1-q) + q exp((2z-1)/(2 sigma^2)), by the trapezoidal rule,
 * whose error falls exponentially for such an integrand: it is analytic within |Im z| < pi sigma^2. Where it is not
 * huge, 1 + the integral of n (m^alpha - 1 - alpha (m - 1)) is taken, as the mean of m is 1: it has positive terms only
 * and keeps its digits where hardly anything is spent.
 */
function fractionalMoment(order: number, noise: number, rate: number): number {
  const width = Math.min(noise, noise * noise) / POINTS_PER_WIDTH;
  const [from, to] = [-REACH * noise, order + REACH * noise];
  const points = Math.ceil((to - from) / width);
  if (!(points < POINTS_MAX)) return Number.POSITIVE_INFINITY;
  const isHuge = (order * to) / (noise * noise) > 600;
  const logs: number[] = [];
  let excess = 0;
  for (let i = 0; i <= points; i++) {
    const z = from + i * width;
    const logWeight = Math.log(width / noise) - Math.log(2 * Math.PI) / 2 - (z * z) / (2 * noise * noise);
    const exponent = (2 * z - 1) / (2 * noise * noise);
    if (isHuge) {
      logs.push(logWeight + order * logSum([Math.log1p(-rate), Math.log(rate) + exponent]));
    } else {
      const gain = rate * Math.expm1(exponent);
      excess += Math.exp(logWeight) * (Math.expm1(order * Math.log1p(gain)) - order * gain);
    }
  }
  return isHuge ? logSum(logs) : Math.log1p(excess);
}

/** log sum exp. */
function logSum(logs: readonly number[]): number {
  const largest = logs.reduce((most, log) => Math.max(most, log), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(largest)) return largest;
  return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
}
