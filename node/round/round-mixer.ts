/** The mixes of one round: the peer's own adapter with the aggregate. */
import {
  type AdapterLayout,
  type Aggregate,
  ifAdapter,
  mix,
  type RememberedAggregate,
  withMomentum,
} from "../aggregation/index.ts";
import type { Mixed } from "../lambda/trial.ts";

/** What the mixes of a round are made of. */
export interface RoundMixerOptions {
  readonly layout: AdapterLayout;
  /** The peer's own adapter, f32[P]. */
  readonly own: Float32Array;
  /** The aggregate in the own adapter's gauge. */
  readonly aggregate: Aggregate;
  /** The aggregate that this peer last took up, where the network has momentum. */
  readonly before: RememberedAggregate | undefined;
  /** The round against which ages count. */
  readonly asOf: number;
  /** b of z' = z_t + b (z_t - z_(t-1)) in this round; undefined for none. */
  readonly momentum: number | undefined;
}

/** Mixes by lambda, and whether one of them was no adapter. */
export class RoundMixer {
  readonly #options: RoundMixerOptions;
  /** Whether a mix was no adapter: it counts as the own one, which no rule for lambda finds better. */
  hasFailed = false;

  constructor(options: RoundMixerOptions) {
    this.#options = options;
  }

  /** The mixes by lambda. */
  readonly mixing = async (): Promise<Mixed> => {
    const { layout, own, aggregate } = this.#options;
    const { z } = aggregate;
    const further = this.#pushed(z);
    const mixed = (lambda: number, isPushed = true): Float32Array => {
      const sum = ifAdapter(() => mix({ ...layout, own, z: isPushed ? further : z, lambda }));
      this.hasFailed ||= sum === undefined;
      return sum ?? own.slice();
    };
    return Object.assign(mixed, { hasMomentum: further !== z });
  };

  /** The aggregate with its momentum, where the one of the round before is known. */
  #pushed(z: Float32Array): Float32Array {
    const { layout, before, asOf, momentum } = this.#options;
    if (momentum === undefined || before?.round !== asOf - 1) return z;
    return withMomentum({ ...layout, z, before: before.z, momentum });
  }
}
