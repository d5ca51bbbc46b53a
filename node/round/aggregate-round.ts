/** One round's aggregation: from this peer's adapter and its neighbours' to the adapter that leaves the round. */
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { neighbourSample } from "../../protocol/neighbour-sample.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import {
  type AdapterLayout,
  type Aggregate,
  type Aggregator,
  aggregateNeighbours,
  anchorToReference,
  emptyReference,
  gaugeKind,
  mix,
  type NeighbourUpdate,
  type ReferenceState,
  referenceModel,
  rememberModel,
} from "../aggregation/index.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { LambdaCost } from "../interface/peer-event.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";
import { decideLambda } from "../lambda/decide-lambda.ts";
import type { Mixed, TrialMemory } from "../lambda/trial.ts";

/** The outcome of a round's aggregation. */
export interface AggregatedRound {
  readonly reference: ReferenceState;
  readonly lambda: number;
  readonly lambdaCost: LambdaCost;
  readonly trial: TrialMemory;
  /** Neighbours in the aggregate. */
  readonly neighbours: number;
  readonly stalenessMax: number;
  /** The adapter that leaves the round, evaluated on the validation set. */
  readonly validation: Evaluation;
}

/** What a round's aggregation needs of the peer. */
export interface AggregationDependencies {
  readonly trainer: Trainer;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
  /** Aggregates on another thread than this one, which is the network's. When absent, this thread aggregates. */
  readonly aggregate?: Aggregator | undefined;
}

/** One round of one peer. */
export interface AggregationOptions {
  /** The network's manifest; its lambda is the rule that this peer goes by. */
  readonly manifest: NetworkManifest;
  readonly peer: string;
  readonly neighbours: readonly NeighbourUpdate[];
  /** Neighbours that this peer counted in its update of the round; absent where it said nothing. */
  readonly announced?: number | undefined;
  readonly reference: ReferenceState;
  /** The memory of the adaptive lambda; the other rules leave it as it is. */
  readonly trial: TrialMemory;
  readonly round: number;
  /** The round against which ages count. */
  readonly asOf: number;
  readonly signal: AbortSignal;
}

/**
 * Aggregate, decide lambda on the validation set, anchor to the reference model, and give the trainer the result.
 * Throws: what the trainer throws; the signal's reason when aborted before the trainer was given anything.
 */
export async function aggregateRound(
  dependencies: AggregationDependencies,
  options: AggregationOptions,
): Promise<AggregatedRound> {
  const { trainer, logger, aggregate: aggregateThere = aggregateHere } = dependencies;
  const { manifest, peer, announced, reference, trial, round, asOf, signal } = options;
  const neighbours = heardNeighbours(options);
  const layout = layoutOf(manifest);
  const own = await trainer.adapter();
  const settings = manifest.aggregation;
  const aggregateFor = (theta: Float32Array): Promise<Aggregate> =>
    aggregateThere({
      ...layout,
      own: { peer, theta, ...(announced !== undefined && { neighbours: announced }) },
      neighbours,
      settings,
      round: asOf,
    });
  const aggregate = await aggregateFor(own);
  logAggregate(logger, aggregate, { round, rule: settings.rule });
  const mixing = async (theta: Float32Array): Promise<Mixed> => {
    // A rival's aggregate is in the rival's gauge.
    const z = theta === own ? aggregate.z : (await aggregateFor(theta)).z;
    return (lambda) => mix({ ...layout, own: theta, z, lambda });
  };
  const { localSteps, count } = manifest.rounds;
  const decided = await decideLambda(dependencies, {
    rule: settings.lambda,
    own,
    mixing: aggregate.peers.length === 0 ? undefined : mixing,
    trial,
    localSteps,
    last: asOf + 1 >= count,
    round,
    signal,
  });
  signal.throwIfAborted();
  const anchor = { settings: manifest.reference, layout, fisher: await trainer.fisher() };
  // A rival has a past of its own, which nobody remembered: it begins a new one.
  const past = decided.rivalWon ? emptyReference(manifest.reference) : reference;
  await trainer.setAdapter(anchorToReference(past, decided.theta, anchor));
  const adapter = await trainer.adapter();
  const validation = await trainer.evaluate({ set: "validation" });
  return {
    reference: rememberModel(past, adapter, anchor),
    lambda: decided.lambda,
    lambdaCost: decided.cost,
    trial: decided.trial,
    neighbours: aggregate.peers.length,
    stalenessMax: aggregate.stalenessMax,
    validation,
  };
}

/** Log the updates that were left out, and a rule that could not be followed. */
function logAggregate(
  logger: Logger,
  aggregate: Aggregate,
  { round, rule }: { readonly round: number; readonly rule: string },
): void {
  for (const { peer: from, reason } of aggregate.refused) {
    logger.warn("update left out of the aggregate", { round, peer: from, reason });
  }
  if (aggregate.degenerate) logger.debug("geometric median of two is their mean", { round });
  if (aggregate.fallback === undefined) return;
  const { rule: instead, neighboursMin } = aggregate.fallback;
  const neighbours = aggregate.peers.length;
  logger.warn("too few neighbours for the rule", { round, rule, neighboursMin, neighbours, instead });
}

const aggregateHere: Aggregator = async (options) => aggregateNeighbours(options);

/** The updates that this peer hears in a round: all that came in, or the round's sample of them. */
export function heardNeighbours<Heard extends NeighbourUpdate>({
  manifest,
  peer,
  neighbours,
  round,
}: {
  readonly manifest: NetworkManifest;
  readonly peer: string;
  readonly neighbours: readonly Heard[];
  readonly round: number;
}): readonly Heard[] {
  const count = manifest.aggregation.sample;
  if (count === undefined) return neighbours;
  const sample = neighbourSample({ seed: manifest.seed, round, self: peer, count });
  const authors = neighbours.map((update) => update.peer);
  return neighbours.filter((update) => sample.has(update.peer, authors));
}

/**
 * Tell the trainer the reference model that holds its next steps back, where the network has a proximal term. It follows
 * from the peer's memory alone, so that a round that is resumed is held as before.
 */
export async function holdToReference(
  trainer: Pick<Trainer, "setReference">,
  reference: ReferenceState,
  manifest: NetworkManifest,
): Promise<void> {
  if (manifest.training.proximal === undefined) return;
  await trainer.setReference(referenceModel(reference, { settings: manifest.reference, layout: layoutOf(manifest) }));
}

/** The make-up of a network's flat vector, as aggregation needs it. */
export const layoutOf = (manifest: NetworkManifest): AdapterLayout => ({
  kind: gaugeKind(manifest.adapter),
  slots: adapterSlots(manifest.tensors),
  factors: manifest.aggregation.factors,
});
