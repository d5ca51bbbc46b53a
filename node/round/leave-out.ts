/**
 * Leaves out neighbours that harm: what a rule let in is parted into groups, and the even mix without each of them is tried on this
 * peer's own held-out data, which nobody else sees. A lie that passes every look at values is one that costs something here.
 */
import type { AggregationSettings } from "../../protocol/network-manifest.ts";
import { type Aggregate, type AggregateOptions, type Aggregator, ifAdapter, mix } from "../aggregation/index.ts";
import type { Logger } from "../interface/logger.ts";
import type { Trainer } from "../interface/trainer.ts";
import { differencesOf, type HeldOutLoss, pairedTest } from "../lambda/paired.ts";
import { LOOK_EXAMPLES_MAX, LOOK_SHARE } from "./neighbour-scores.ts";

/** What trying costs and needs. */
export interface LeaveOutDependencies {
  readonly trainer: Trainer;
  readonly logger: Logger;
  readonly aggregate: Aggregator;
}

/** The aggregate of a round, and what it was made of. */
export interface LeaveOutOptions {
  /** What the aggregate was made of, but for the rule. */
  readonly given: Omit<AggregateOptions, "settings" | "start" | "ownRule">;
  readonly settings: AggregationSettings;
  readonly whole: Aggregate;
  readonly round: number;
  readonly signal: AbortSignal;
}

/** A group of neighbours, and the loss of the even mix without them. */
interface Tried {
  readonly group: readonly string[];
  readonly loss: HeldOutLoss;
}

/** Groups that are tried where the network says nothing else: with so many neighbours or fewer each is one. */
const TRIES = 16;

/**
 * Standard errors by which the mix is to be better without a group. One: what is left out by mistake costs little, and a second
 * look at all that are left out decides.
 */
const HARM = 1;

/**
 * The aggregate without the groups that harm: those without which the even mix is better on held-out data by a standard error, by the
 * paired test. Where all of them together, or the worst alone, leave a smaller loss than the whole, that aggregate is returned; else
 * the whole one, as under a rule that tries nothing. One group always stays. It costs at most tries + 2 evaluations.
 * Throws: what the trainer throws; the signal's reason when aborted between evaluations.
 */
export async function withoutHarm(
  dependencies: LeaveOutDependencies,
  { given, settings, whole, round, signal }: LeaveOutOptions,
): Promise<Aggregate> {
  const { trainer, logger, aggregate } = dependencies;
  const { kept = [] } = whole;
  const { tries, mean } = triesOf(settings);
  const groups = groupsOf(kept, tries);
  if (groups.length < 2) return whole;
  const only = async (peers: readonly string[]): Promise<Aggregate> => {
    const among = new Set(peers);
    return aggregate({ ...given, neighbours: given.neighbours.filter(({ peer }) => among.has(peer)), settings: mean });
  };
  const lossOf = async ({ z }: Aggregate): Promise<HeldOutLoss> => {
    signal.throwIfAborted();
    const { own } = given;
    const mixed = ifAdapter(() => mix({ ...given, own: own.theta, z, lambda: LOOK_SHARE }));
    return mixed === undefined ? NO_LOSS : heldOutLoss(trainer, mixed);
  };
  const all = await lossOf(whole);
  const tried: Tried[] = [];
  for (const group of groups) tried.push({ group, loss: await lossOf(await only(without(kept, group))) });
  const out = await worthLeaving(tried, all, async (harmful) => lossOf(await only(without(kept, harmful.flat()))));
  if (out.length === 0) return whole;
  logger.debug("neighbours left out: the mix is better without them", { round, peers: out });
  const { z } = await only(without(kept, out));
  return { ...whole, z };
}

/** Of a mix that is no adapter. */
const NO_LOSS: HeldOutLoss = { loss: Number.NaN, examples: [] };

/** The neighbours to leave out; none where that makes nothing better. */
async function worthLeaving(
  tried: readonly Tried[],
  all: HeldOutLoss,
  lossWithout: (groups: readonly (readonly string[])[]) => Promise<HeldOutLoss>,
): Promise<readonly string[]> {
  const harmful = tried
    .filter(({ loss }) => pairedTest(differencesOf(all, loss), HARM) === "second")
    .sort((a, b) => a.loss.loss - b.loss.loss)
    .slice(0, tried.length - 1);
  const [worst] = harmful;
  if (worst === undefined) return [];
  const groups = harmful.map(({ group }) => group);
  const rest = groups.length > 1 ? await lossWithout(groups) : worst.loss;
  const best = rest.loss <= worst.loss.loss ? { loss: rest.loss, groups } : { ...worst.loss, groups: [worst.group] };
  return best.loss < all.loss || !Number.isFinite(all.loss) ? best.groups.flat() : [];
}

/** How many groups a rule tries, and the mean by which they are tried; no group for rules that leave nobody out. */
function triesOf(settings: AggregationSettings): {
  readonly tries: number;
  readonly mean: AggregateOptions["settings"];
} {
  if (settings.rule !== "vetted-mean") return { tries: 0, mean: settings };
  const { tries = TRIES, ...rest } = settings;
  // The rule saw whole adapters, and a norm clip of the mean is to see what it saw.
  return { tries, mean: { ...rest, rule: "mean", scope: "global" } };
}

/** Neighbours in so many groups at most, as even as can be, each of such as stand side by side. */
export function groupsOf(kept: readonly string[], countMax: number): readonly (readonly string[])[] {
  const count = Math.min(countMax, kept.length);
  const edge = (i: number): number => Math.round((i * kept.length) / count);
  return Array.from({ length: count }, (_, i) => kept.slice(edge(i), edge(i + 1)));
}

function without(kept: readonly string[], peers: readonly string[]): readonly string[] {
  const out = new Set(peers);
  return kept.filter((peer) => !out.has(peer));
}

async function heldOutLoss(trainer: Trainer, adapter: Float32Array): Promise<HeldOutLoss> {
  const options = { set: "validation", adapter, examplesMax: LOOK_EXAMPLES_MAX, perExample: true } as const;
  const { loss, exampleLosses = [loss] } = await trainer.evaluate(options);
  return { loss, examples: exampleLosses };
}
