/**
 * What an attack does to a single aggregation, under every rule: quick enough for every rule, kind and number of liars. Honest peers
 * train for some rounds among themselves; then each of them aggregates once with liars among its neighbours and once without.
 */
import {
  type AggregateOptions,
  aggregateNeighbours,
  gaugeKind,
  ifAdapter,
  isPlausible,
  mix,
  type NeighbourUpdate,
} from "../../node/aggregation/index.ts";
import type { ExampleSets, Trainer } from "../../node/interface/trainer.ts";
import { explodes } from "../../node/round/settle-adapter.ts";
import { createTrainer } from "../../node/training/trainer.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { type Attack, flipLabels, lieOf } from "./attack.ts";
import type { SharedBase } from "./base.ts";
import { meanOf } from "./cell.ts";

/** The aggregation settings of a manifest. */
type Aggregation = NetworkManifest["aggregation"];

/** One setting and what is tried on it. */
export interface OneRoundOptions {
  readonly base: SharedBase;
  readonly manifest: NetworkManifest;
  /** One for each peer; the last ones lie. */
  readonly sets: readonly ExampleSets[];
  readonly liars: number;
  /** Rounds before the one that is attacked. */
  readonly rounds: number;
  readonly rules: Readonly<Record<string, Aggregation>>;
  readonly attacks: readonly Attack[];
  /** Honest peers on which the attack is looked at, the first ones. */
  readonly receivers: number;
}

/** What one attack does under one rule; losses are means over the receivers, in nats per token. */
export interface OneRoundRow {
  readonly rule: string;
  readonly attack: Attack;
  /** Of the own adapter, of the even mix without the liars, and with them. */
  readonly own: number;
  readonly clean: number;
  readonly attacked: number;
  /** The largest step up from the own loss to the attacked one. */
  readonly worst: number;
  /** Receivers who refuse the aggregate, and so stay with their own adapter. */
  readonly refused: number;
}

interface Swarm {
  readonly trainers: readonly Trainer[];
  /** What every peer has before the attacked round, what the liars had after the first, and those of liars with false labels. */
  readonly thetas: readonly Float32Array[];
  readonly firsts: readonly Float32Array[];
  readonly flipped: readonly Float32Array[];
  readonly start: Float32Array;
  /** Held-out loss of each peer before it aggregates. */
  readonly ownLosses: readonly number[];
}

/** Share of the mix at which the aggregate is judged: the even mix of the adaptive lambda. */
const SHARE = 0.5;

/** Every rule with every attack.  Throws: what the trainer throws. */
export async function oneRound(options: OneRoundOptions): Promise<readonly OneRoundRow[]> {
  const { liars, sets, rules, attacks } = options;
  const trainers: Trainer[] = [];
  const flippedTrainers: Trainer[] = [];
  try {
    for (const [i, one] of sets.entries()) trainers.push(await trainerOf(options, one, i));
    for (const [i, one] of sets.slice(-liars).entries()) {
      flippedTrainers.push(await trainerOf(options, flipLabels(one), sets.length - liars + i));
    }
    const start = await trainers[0]!.adapter();
    const first = await trainTogether(options, { trainers, flippedTrainers });
    const thetas = await Promise.all(trainers.map((one) => one.adapter()));
    const flipped = await Promise.all(flippedTrainers.map((one) => one.adapter()));
    const ownLosses: number[] = [];
    for (const [i, one] of trainers.entries()) ownLosses.push(await heldOutLoss(one, thetas[i]!));
    const swarm: Swarm = { trainers, thetas, firsts: first, flipped, start, ownLosses };
    const rows: OneRoundRow[] = [];
    for (const [rule, aggregation] of Object.entries(rules)) {
      const clean = await lossesOf(swarm, options, { aggregation, lies: () => [] });
      for (const attack of attacks) {
        const lies = (receiver: number): readonly Float32Array[] => liesOf(attack, swarm, { liars, receiver });
        const attacked = await lossesOf(swarm, options, { aggregation, lies });
        rows.push({
          rule,
          attack,
          own: meanOf(clean.map(({ own }) => own)),
          clean: meanOf(clean.map(({ mixed }) => mixed)),
          attacked: meanOf(attacked.map(({ mixed }) => mixed)),
          worst: Math.max(...attacked.map(({ own, mixed }) => mixed - own)),
          refused: attacked.filter(({ isRefused }) => isRefused).length,
        });
      }
    }
    return rows;
  } finally {
    for (const one of [...trainers, ...flippedTrainers]) await one.close();
  }
}

const heldOutLoss = async (trainer: Trainer, adapter: Float32Array): Promise<number> =>
  (await trainer.evaluate({ set: "validation", adapter })).loss;

function trainerOf({ base, manifest }: OneRoundOptions, data: ExampleSets, index: number): Promise<Trainer> {
  return createTrainer(
    { runtime: base.runtime, files: base.files },
    {
      modelDirectory: base.directory,
      adapter: manifest.adapter,
      training: manifest.training,
      networkSeed: manifest.seed,
      peerSeed: manifest.seed + index,
      data,
      engine: { threads: base.threads },
      totalSteps: manifest.rounds.count * manifest.rounds.localSteps,
    },
  );
}

/** Rounds in which the honest peers mix evenly with the mean of the others, and the liars train alone.  Returns the liars' first. */
async function trainTogether(
  { manifest, liars, rounds }: OneRoundOptions,
  {
    trainers,
    flippedTrainers,
  }: { readonly trainers: readonly Trainer[]; readonly flippedTrainers: readonly Trainer[] },
): Promise<readonly Float32Array[]> {
  const honest = trainers.slice(0, -liars);
  let first: readonly Float32Array[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const one of [...trainers, ...flippedTrainers]) await one.train({ steps: manifest.rounds.localSteps });
    const thetas = await Promise.all(trainers.map((one) => one.adapter()));
    if (round === 0) first = thetas.slice(-liars);
    if (round === rounds) break;
    const settings = { ...manifest.aggregation, rule: "mean" } as Aggregation;
    for (const [k, one] of honest.entries()) {
      const mixed = mixOf(manifest, settings, { thetas: thetas.slice(0, -liars), receiver: k, lies: [] });
      if (mixed) await one.setAdapter(mixed);
    }
  }
  return first;
}

function liesOf(
  attack: Attack,
  { thetas, firsts, flipped, start }: Swarm,
  { liars, receiver }: { readonly liars: number; readonly receiver: number },
): readonly Float32Array[] {
  const honest = thetas.slice(0, -liars);
  return Array.from({ length: liars }, (_, l) => {
    const own = attack === "label-flip" ? flipped[l]! : thetas[honest.length + l]!;
    if (attack === "replay") return firsts[l]!;
    const prng = createPrng(l).fork("noise");
    return lieOf(attack, { start, own, first: firsts[l]!, honest, receiver, prng });
  });
}

/** The even mix of a receiver's adapter with its aggregate, f32[P]; undefined where there is no adapter that could be mixed. */
function mixOf(
  manifest: NetworkManifest,
  settings: Aggregation,
  {
    thetas,
    receiver,
    lies,
    start,
  }: {
    readonly thetas: readonly Float32Array[];
    readonly receiver: number;
    readonly lies: readonly Float32Array[];
    readonly start?: Float32Array;
  },
): Float32Array | undefined {
  const layout = {
    kind: gaugeKind(manifest.adapter),
    slots: adapterSlots(manifest.tensors),
    factors: settings.factors,
  };
  const update = (theta: Float32Array, peer: string): NeighbourUpdate => ({ peer, round: 0, theta, sampleCount: 1 });
  const others = thetas.flatMap((theta, j) =>
    j === receiver ? [] : [update(theta, `h${String(j).padStart(3, "0")}`)],
  );
  const neighbours = [...others, ...lies.map((theta, l) => update(theta, `l${l}`))];
  const own = thetas[receiver]!;
  const options: AggregateOptions = {
    ...layout,
    own: { peer: "self", theta: own },
    start,
    neighbours,
    settings,
    round: 0,
  };
  const { z, peers } = aggregateNeighbours(options);
  return peers.length === 0 ? undefined : ifAdapter(() => mix({ ...layout, own, z, lambda: SHARE }));
}

/** The losses of the first receivers before and after one aggregation; what a round would refuse leaves the own adapter. */
async function lossesOf(
  { trainers, thetas, ownLosses, start }: Swarm,
  { manifest, liars, receivers }: OneRoundOptions,
  {
    aggregation,
    lies,
  }: { readonly aggregation: Aggregation; readonly lies: (receiver: number) => readonly Float32Array[] },
): Promise<readonly { readonly own: number; readonly mixed: number; readonly isRefused: boolean }[]> {
  const honest = thetas.slice(0, -liars);
  const results = [];
  for (let receiver = 0; receiver < Math.min(receivers, honest.length); receiver++) {
    const own = ownLosses[receiver]!;
    const theta = mixOf(manifest, aggregation, { thetas: honest, receiver, lies: lies(receiver), start });
    const mixed =
      theta && isPlausible(theta, honest[receiver]!) ? await heldOutLoss(trainers[receiver]!, theta) : Number.NaN;
    const isRefused = explodes(mixed, own);
    results.push({ own, mixed: isRefused ? own : mixed, isRefused });
  }
  return results;
}
