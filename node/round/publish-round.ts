/** Publishing a round's trained adapter: as it is, or as much of it as a privacy guard lets out. */
import type { PublishedUpdate, UpdateExchange } from "../interface/exchange.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";

/** A trained round, and the claims that go with its update. */
export interface TrainedRound {
  readonly round: number;
  /** The adapter as it travels, f32[P]. */
  readonly trained: Float32Array;
  readonly localSteps: number;
  readonly sampleCount: number;
  /** Neighbours that the peer says it has; absent where the network does not weigh by them. */
  readonly neighbours: number | undefined;
}

/** The outcome. `budget-spent`: nothing may be sent any more. `already-published`: a restart came after publishing. */
export type PublishOutcome =
  | { readonly type: "published"; readonly update: PublishedUpdate | undefined }
  | { readonly type: "already-published" }
  | { readonly type: "budget-spent" };

/**
 * Publish the update of a round.
 * patiently: does work that writes to disk again while the disk is full.
 * Throws: what the exchange and the guard throw.
 */
export async function publishRound(
  {
    exchange,
    privacy,
    emit,
    patiently,
  }: {
    readonly exchange: UpdateExchange;
    readonly privacy: PrivacyGuard | undefined;
    readonly emit: (event: PeerEvent) => void;
    readonly patiently: <T>(work: () => Promise<T>) => Promise<T>;
  },
  { round, trained, localSteps, sampleCount, neighbours }: TrainedRound,
): Promise<PublishOutcome> {
  const claim = neighbours === undefined ? {} : { neighbours };
  if (privacy === undefined) {
    const update = { round, theta: trained, localSteps, sampleCount, ...claim };
    return { type: "published", update: await patiently(() => exchange.publish(update)) };
  }
  if (exchange.hasPublished(round)) return { type: "already-published" };
  const theta = await patiently(() => privacy.release({ round, theta: trained }));
  emit({ type: "privacy", status: privacy.status() });
  if (theta === undefined) return { type: "budget-spent" };
  // The number of examples says something about the data too.
  const update = { round, theta, localSteps, sampleCount: 1, ...claim };
  return { type: "published", update: await patiently(() => exchange.publish(update)) };
}
