/** What stands between a peer's rounds and the network, where the peer has a privacy budget. */
import type { LambdaRule } from "../../protocol/network-manifest.ts";
import type { ReceivedUpdate } from "./exchange.ts";
import type { PrivacyStatus } from "./privacy.ts";

/** What the rounds ask before anything of theirs leaves the peer. */
export interface PrivacyGuard {
  /** A round begins with this adapter, as it travels. */
  roundStarts(start: { readonly round: number; readonly theta: Float32Array }): Promise<void>;
  /** Local steps are about to be taken; resolves when they are counted, durably. */
  beforeSteps(count: number): Promise<void>;
  /**
   * What may be sent of the adapter of a round, f32[P], once its cost is on record; undefined where the budget does not
   * cover it.  Throws: NodeError PRIVACY_BUDGET, STORE_FAILED, DISK_FULL.
   */
  release(own: { readonly round: number; readonly theta: Float32Array }): Promise<Float32Array | undefined>;
  /** The peer has aggregated what it had received. asOf: the round against which ages count. */
  aggregated(heard: { readonly neighbours: readonly ReceivedUpdate[]; readonly asOf: number }): Promise<void>;
  /**
   * Whether a noisy sketch of the data set may be sent; then its cost is on record. Never where all data of the peer are
   * protected at once: the noise of a sketch hides one example.  Throws: NodeError PRIVACY_BUDGET, STORE_FAILED, DISK_FULL.
   */
  releaseSketch(mechanism: { readonly noise: number; readonly rate: number }): Promise<boolean>;
  /**
   * An update is about to follow one that an earlier life of this identity signed, and that this data directory does not know.
   * Throws: NodeError PRIVACY_BUDGET where what it spent is not stated.
   */
  follows(earlier: { readonly round: number; readonly sequence: number }): void;
  /** How far this peer goes towards an aggregate: the network's rule, or one that looks at no data. */
  readonly lambda: LambdaRule;
  status(): PrivacyStatus;
}
