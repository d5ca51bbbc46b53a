/** The round that this peer is in, by which arriving updates are judged, and whom it hears in it. */
import { type NeighbourSample, neighbourSample } from "../../protocol/neighbour-sample.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** The round, whether the peer catches up, and the sample of the round. */
export class RoundPosition {
  readonly #manifest: NetworkManifest;
  readonly #self: PeerId;
  #round = 0;
  #isCatchingUp = true;
  #sample: NeighbourSample | undefined;

  constructor(manifest: NetworkManifest, self: PeerId) {
    this.#manifest = manifest;
    this.#self = self;
    this.#sample = this.#sampleOf(0);
  }

  get round(): number {
    return this.#round;
  }

  /** Whether updates of any later round count. */
  get isCatchingUp(): boolean {
    return this.#isCatchingUp;
  }

  /** Where this peer hears only some of its neighbours; undefined where it hears all. */
  get sample(): NeighbourSample | undefined {
    return this.#sample;
  }

  /** Whether it is another round than before. */
  move(round: number, isCatchingUp: boolean): boolean {
    const isAnother = round !== this.#round;
    this.#round = round;
    this.#isCatchingUp = isCatchingUp;
    if (isAnother) this.#sample = this.#sampleOf(round);
    return isAnother;
  }

  #sampleOf(round: number): NeighbourSample | undefined {
    const { seed, aggregation } = this.#manifest;
    if (aggregation.sample === undefined) return undefined;
    return neighbourSample({ seed, round, self: this.#self, count: aggregation.sample });
  }
}
