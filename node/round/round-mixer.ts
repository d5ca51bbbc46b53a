/** The mixes of one round: the peer's own adapter, or its rival's, with the aggregate in that adapter's gauge. */
import type { AggregationSettings } from "../../protocol/network-manifest.ts";
import {
  type AdapterLayout,
  type Aggregate,
  ifAdapter,
  mix,
  type RememberedAggregate,
  withMomentum,
} from "../aggregation/index.ts";
import type { Mixed, RivalPast } from "../lambda/trial.ts";

/** What the mixes of a round are made of. */
export interface RoundMixerOptions {
  readonly layout: AdapterLayout;
  /** The peer's own adapter, f32[P]. */
  readonly own: Float32Array;
  /** The aggregate in the own adapter's gauge. */
  readonly aggregate: Aggregate;
  /** The aggregate in the gauge of another adapter. */
  readonly aggregateFor: (theta: Float32Array) => Promise<Aggregate>;
  readonly past: RivalPast;
  /** The round against which ages count. */
  readonly asOf: number;
  /** b of z' = z_t + b (z_t - z_(t-1)) in this round; undefined for none. */
  readonly momentum: number | undefined;
  readonly settings: Pick<AggregationSettings, "momentum">;
}

/** Mixes by lambda, and whether one of them was no adapter. */
export class RoundMixer {
  readonly #options: RoundMixerOptions;
  /** Whether a mix was no adapter: it counts as the own one, which no rule for lambda finds better. */
  hasFailed = false;

  constructor(options: RoundMixerOptions) {
    this.#options = options;
  }

  /** The mixes with one adapter, by lambda. */
  readonly mixing = async (
    theta: Float32Array,
    { aggregate: before }: RivalPast = this.#options.past,
  ): Promise<Mixed> => {
    const { layout, own, aggregate, aggregateFor, settings } = this.#options;
    // A rival's aggregate is in the rival's gauge.
    const { z } = theta === own ? aggregate : await aggregateFor(theta);
    const further = this.#pushed(z, before);
    const mixed = (lambda: number, isPushed = true): Float32Array => {
      const sum = ifAdapter(() => mix({ ...layout, own: theta, z: isPushed ? further : z, lambda }));
      this.hasFailed ||= sum === undefined;
      return sum ?? theta.slice();
    };
    return Object.assign(mixed, {
      hasMomentum: further !== z,
      ...(settings.momentum !== undefined && { aggregate: z }),
    });
  };

  /** The aggregate with its momentum, where the one of the round before is known. */
  #pushed(z: Float32Array, before: RememberedAggregate | undefined): Float32Array {
    const { layout, asOf, momentum } = this.#options;
    if (momentum === undefined || before?.round !== asOf - 1) return z;
    return withMomentum({ ...layout, z, before: before.z, momentum });
  }
}
