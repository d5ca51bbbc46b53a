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
  chooseLambda,
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
import { type Mixed, type TrialMemory, trialRound } from "./trial.ts";

/**
 * Examples that the search for lambda looks at: enough to tell quarters apart on a held-out set of a private data
 * set's size, and the first ones always, so that candidates are compared on the same examples.
 */
export const LAMBDA_EXAMPLES_MAX = 64;

export interface AggregatedRound {
  readonly reference: ReferenceState;
  readonly lambda: number;
  readonly lambdaCost: LambdaCost;
  readonly trial: TrialMemory;
  /** Neighbours in the aggregate. */
  readonly neighbours: number;
  readonly stalenessMax: number;
  /** Of the adapter as it leaves the round, on the validation set. */
  readonly validation: Evaluation;
}

/**
 * Aggregate, choose lambda on the validation set, anchor to the reference model, and give the trainer the result.
 * asOf: the round against which ages count.
 * Throws: what the trainer throws; the signal's reason when aborted before the trainer was given anything.
 */
export async function aggregateRound(
  dependencies: {
    readonly trainer: Trainer;
    readonly logger: Logger;
    readonly clock: Pick<Clock, "now">;
    /** On another thread than this one, which is the network's; here when absent. */
    readonly aggregate?: Aggregator | undefined;
  },
  options: {
    readonly manifest: NetworkManifest;
    readonly peer: string;
    readonly neighbours: readonly NeighbourUpdate[];
    /** Neighbours that this peer counted in its update of the round; absent where it said nothing. */
    readonly announced?: number | undefined;
    readonly reference: ReferenceState;
    /** Of the adaptive lambda; other rules leave it as it is. */
    readonly trial: TrialMemory;
    readonly round: number;
    readonly asOf: number;
    readonly signal: AbortSignal;
  },
): Promise<AggregatedRound> {
  const { trainer, logger, clock, aggregate: aggregateThere = aggregateHere } = dependencies;
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
  for (const { peer: from, reason } of aggregate.refused) {
    logger.warn("update left out of the aggregate", { round, peer: from, reason });
  }
  if (aggregate.degenerate) logger.debug("geometric median of two is their mean", { round });
  if (aggregate.fallback !== undefined) {
    const { rule: instead, neighboursMin } = aggregate.fallback;
    const neighbours = aggregate.peers.length;
    logger.warn("too few neighbours for the rule", { round, rule: settings.rule, neighboursMin, neighbours, instead });
  }
  const cost = { evaluations: 0, steps: 0 };
  const began = clock.now();
  const chosen =
    aggregate.peers.length === 0 ? { lambda: 0, theta: own, trial, rivalWon: false } : await choose(aggregate.z);
  const seconds = Math.max(0, clock.now() - began) / 1000;
  signal.throwIfAborted();
  const anchor = { settings: manifest.reference, layout, fisher: await trainer.fisher() };
  // A rival has a past of its own, which nobody remembered: it begins a new one.
  const past = chosen.rivalWon ? emptyReference(manifest.reference) : reference;
  await trainer.setAdapter(anchorToReference(past, chosen.theta, anchor));
  const adapter = await trainer.adapter();
  const validation = await trainer.evaluate({ set: "validation" });
  return {
    reference: rememberModel(past, adapter, anchor),
    lambda: chosen.lambda,
    lambdaCost: { ...cost, seconds },
    trial: chosen.trial,
    neighbours: aggregate.peers.length,
    stalenessMax: aggregate.stalenessMax,
    validation,
  };

  async function choose(z: Float32Array): Promise<{
    readonly lambda: number;
    readonly theta: Float32Array;
    readonly trial: TrialMemory;
    readonly rivalWon: boolean;
  }> {
    const between =
      (theta: Float32Array, others: Float32Array): Mixed =>
      (lambda) =>
        mix({ ...layout, own: theta, z: others, lambda });
    const evaluate = (theta: Float32Array): Promise<number> => {
      cost.evaluations += 1;
      return heldOutLoss(trainer, theta);
    };
    if (settings.lambda.mode !== "adaptive") {
      const choice = await chooseLambda(settings.lambda, { mixed: between(own, z), evaluate, signal });
      return { ...choice, trial, rivalWon: false };
    }
    const { localSteps, count } = manifest.rounds;
    const last = asOf + 1 >= count;
    // A rival's aggregate is in the rival's gauge.
    const mixing = async (theta: Float32Array): Promise<Mixed> =>
      between(theta, theta === own ? z : (await aggregateFor(theta)).z);
    const decided = await trialRound(trainer, { trial, own, mixing, evaluate, localSteps, last, signal });
    if (decided.trial.state.stage !== trial.state.stage) {
      logger.debug("lambda", { round, from: trial.state.stage, to: decided.trial.state.stage });
    }
    cost.steps += decided.steps;
    return decided;
  }
}

const aggregateHere: Aggregator = async (options) => aggregateNeighbours(options);

/** Of what came in, what this peer hears in a round: all of it, or the round's sample. */
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

export const layoutOf = (manifest: NetworkManifest): AdapterLayout => ({
  kind: gaugeKind(manifest.adapter),
  slots: adapterSlots(manifest.tensors),
  factors: manifest.aggregation.factors,
});

async function heldOutLoss(trainer: Trainer, adapter: Float32Array): Promise<number> {
  const { loss } = await trainer.evaluate({ set: "validation", adapter, examplesMax: LAMBDA_EXAMPLES_MAX });
  return loss;
}
