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
  gaugeKind,
  ifAdapter,
  looksAtWholes,
  type NeighbourUpdate,
  type OwnRule,
  type ReferenceState,
  type RememberedAggregate,
  referenceModel,
  rememberModel,
} from "../aggregation/index.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { LambdaCost, RefusalReason } from "../interface/peer-event.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";
import { decideLambda } from "../lambda/decide-lambda.ts";
import type { Anchoring, TrialMemory } from "../lambda/trial.ts";
import { withoutHarm } from "./leave-out.ts";
import { lookAtNeighbours } from "./look-at-neighbours.ts";
import { figuresOf, LOOKS, type NeighbourScore } from "./neighbour-scores.ts";
import { RoundMixer } from "./round-mixer.ts";
import { settleAdapter } from "./settle-adapter.ts";

/** The outcome of a round's aggregation. */
export interface AggregatedRound {
  readonly reference: ReferenceState;
  /** The aggregate before momentum, where the network has momentum and it was taken up. */
  readonly aggregate: RememberedAggregate | undefined;
  readonly lambda: number;
  readonly lambdaCost: LambdaCost;
  readonly trial: TrialMemory;
  /** Neighbours in the aggregate. */
  readonly neighbours: number;
  /** Each of them. */
  readonly shares: Aggregate["shares"];
  readonly stalenessMax: number;
  /** The adapter that leaves the round, evaluated on the validation set. */
  readonly validation: Evaluation;
  /** The scores of neighbours after this round's looks. */
  readonly scores: readonly NeighbourScore[];
  /** Why the aggregate was not taken up; undefined where it was, or where there was none. */
  readonly refusal: RefusalReason | undefined;
  /** The peer's adapter before others' values came into it, f32[P]; undefined where none did. */
  readonly before: Float32Array | undefined;
}

/** What a round's aggregation needs of the peer. */
export interface AggregationDependencies {
  readonly trainer: Trainer;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
  /** Aggregates on another thread than this one, which is the network's. When absent, this thread aggregates. */
  readonly aggregate?: Aggregator | undefined;
  /** Puts the neighbours' adapters together on this thread, in place of the manifest's rule. */
  readonly ownRule?: OwnRule | undefined;
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
  /** The aggregate that this peer last took up, where the network has momentum. */
  readonly aggregate?: RememberedAggregate | undefined;
  /** The memory of the adaptive lambda; the other rules leave it as it is. */
  readonly trial: TrialMemory;
  /** A held-out loss that this peer had before, in nats per token; a mix far above it is compared with the own adapter. */
  readonly expectedLoss?: number | undefined;
  /** The scores of neighbours so far; nobody is looked at when absent. */
  readonly scores?: readonly NeighbourScore[] | undefined;
  /** Whether losses may decide what is taken up; not those of a peer with a privacy budget. True when absent. */
  readonly looksAtLosses?: boolean;
  readonly round: number;
  /** The round against which ages count. */
  readonly asOf: number;
  readonly signal: AbortSignal;
}

/**
 * Aggregate, decide lambda on the validation set, anchor to the reference model, and give the trainer the result; or leave it
 * the own adapter, where the result would ruin it.
 * Throws: what the trainer throws; the signal's reason when aborted before the trainer was given anything.
 */
export async function aggregateRound(
  dependencies: AggregationDependencies,
  options: AggregationOptions,
): Promise<AggregatedRound> {
  const { trainer, logger, ownRule } = dependencies;
  // A function does not cross to another thread.
  const aggregateThere = ownRule ? aggregateHere : (dependencies.aggregate ?? aggregateHere);
  const { manifest, peer, announced, reference, trial, round, asOf, signal } = options;
  const { expectedLoss, looksAtLosses = true } = options;
  const layout = layoutOf(manifest);
  const own = await trainer.adapter();
  const settings = manifest.aggregation;
  const scores = looksAtLosses ? await scoresAfter(dependencies, options, own) : (options.scores ?? []);
  const gains = new Map(scores.map((score) => [score.peer, figuresOf(score).gain]));
  const neighbours = heardNeighbours(options).map((update) => ({ ...update, gain: gains.get(update.peer) }));
  const given = {
    ...layout,
    own: { peer, theta: own, ...(announced !== undefined && { neighbours: announced }) },
    neighbours,
    round: asOf,
  };
  const start = looksAtWholes(settings) ? { start: await trainer.start() } : {};
  const whole = await aggregateThere({ ...given, ...start, settings, ownRule });
  logAggregate(logger, whole, { round, rule: ownRule?.name ?? settings.rule });
  const aggregate = looksAtLosses
    ? await withoutHarm({ trainer, logger, aggregate: aggregateThere }, { given, settings, whole, round, signal })
    : whole;
  const { localSteps, count } = manifest.rounds;
  const last = asOf + 1 >= count;
  // The twin of a peer with a privacy budget has no momentum.
  const momentum = last || !looksAtLosses ? undefined : settings.momentum;
  const mixer = new RoundMixer({ layout, own, aggregate, before: options.aggregate, asOf, momentum });
  const anchor = { settings: manifest.reference, layout };
  const anchoring: Anchoring = {
    past: { reference },
    hold: (one) => holdToReference(trainer, one, manifest),
    anchor: (mixed, one, fisher) => ifAdapter(() => anchorToReference(one, mixed, { ...anchor, fisher })) ?? mixed,
    remember: (one, adapter) => rememberModel(one, adapter, anchor),
  };
  const decided = await decideLambda(dependencies, {
    rule: settings.lambda,
    own,
    mixing: aggregate.peers.length === 0 ? undefined : mixer.mixing,
    anchoring,
    trial,
    localSteps,
    last,
    round: asOf,
    signal,
  });
  signal.throwIfAborted();
  const { rivalWon, rivalPast } = decided;
  const settled = await settleAdapter(trainer, {
    own: rivalWon ? decided.theta : own,
    mixed: decided.theta,
    past: (rivalWon ? rivalPast?.reference : undefined) ?? reference,
    ...anchor,
    expectedLoss,
    looksAtLosses,
  });
  const isOwn = decided.theta.every((x, i) => x === own[i]);
  const refusal =
    settled.refusal ?? ((mixer.hasFailed && isOwn) || aggregate.spoilt !== undefined ? "spoilt" : undefined);
  const isKept = settled.refusal !== undefined && settled.refusal !== "reference";
  const remembersAggregate = settings.momentum !== undefined && aggregate.peers.length > 0 && !isKept;
  return {
    reference: settled.past,
    aggregate: remembersAggregate ? { round: asOf, z: aggregate.z } : undefined,
    lambda: isKept ? 0 : decided.lambda,
    lambdaCost: decided.cost,
    trial: decided.trial,
    neighbours: aggregate.peers.length,
    shares: aggregate.shares,
    stalenessMax: aggregate.stalenessMax,
    validation: settled.validation,
    scores,
    refusal,
    before: aggregate.peers.length > 0 && !isKept ? own : undefined,
  };
}

/** Look at some of the neighbours one by one, each in the gauge of the own adapter as the aggregate would be. */
async function scoresAfter(
  { trainer, aggregate = aggregateHere }: AggregationDependencies,
  options: AggregationOptions,
  own: Float32Array,
): Promise<readonly NeighbourScore[]> {
  const { manifest, peer, scores, asOf, signal } = options;
  if (scores === undefined) return [];
  const { weights, scope, ageMax } = manifest.aggregation;
  const layout = layoutOf(manifest);
  const settings = { rule: "mean", scope, ageMax, stalenessExponent: 0 } as const;
  return lookAtNeighbours(trainer, {
    scores,
    neighbours: heardNeighbours(options),
    own,
    layout,
    inOwnGauge: async (update) => {
      const one = { ...layout, own: { peer, theta: own }, neighbours: [update], settings, round: asOf };
      const { z, peers } = await aggregate(one);
      return peers.length > 0 ? z : undefined;
    },
    count: weights?.kind === "score" ? LOOKS.weighed : LOOKS.shown,
    ageMax,
    round: asOf,
    signal,
  });
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
