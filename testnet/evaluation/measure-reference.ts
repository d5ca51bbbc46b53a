/**
 * `npm run bench:reference [-- --seeds 1,2,3] [--scenes changing,poisoned,late] [--peers 4] [--rounds 8] [--steps 12]`: what FedRef's
 * reference model is worth where it might be of use, on the embedded tasks. Peers mix halfway to the plain mean of the others. One line of
 * JSON for each scene, seed and reference.
 *
 * changing: everybody has a task of its own, and from the middle on that of the next peer. poisoned: in two rounds a liar tells everybody
 * the opposite of what they learnt, tenfold. late: the last peer has no neighbours, and trains nothing, before the middle.
 */
import { parseArgs } from "node:util";
import {
  anchorToReference,
  emptyReference,
  gaugeKind,
  type ReferenceState,
  rememberModel,
} from "../../node/aggregation/index.ts";
import type { Trainer } from "../../node/interface/trainer.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { ReferenceSettings } from "../../protocol/network-manifest.ts";
import { openSharedBase } from "./base.ts";
import { meanOf } from "./cell.ts";
import { chosenWords } from "./chosen-words.ts";
import { openTrainers, setsOf, trialAdapter } from "./small-swarm.ts";
import { createTrialLog } from "./trial-log.ts";
import { meanOfAdapters, towards } from "./tried-rules.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    scenes: { type: "string", default: "" },
    peers: { type: "string", default: "4" },
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "12" },
    log: { type: "string", default: "" },
  },
});

const past = { kind: "window", size: 4, weights: "uniform" } as const;
/** The reference models that are compared: none, the paper's small weights, and ones that can be felt. */
const REFERENCES: Readonly<Record<string, ReferenceSettings>> = {
  none: { kind: "none" },
  "1e-3, 1e-2": { ...past, l1: 1e-3, l2: 1e-2 },
  "0.1, 0.3": { ...past, l1: 0.1, l2: 0.3 },
};
/** Rounds, counted from 0, in which the liar is heard, as shares of all. */
const POISONED = [0.375, 0.625];
/** How many times the way back. */
const POISON = -10;

const SCENES = ["changing", "poisoned", "late"] as const;
type Scene = (typeof SCENES)[number];
const scenes = chosenWords("scenes", values.scenes, SCENES) as readonly Scene[];

const [peers, rounds, steps] = [Number(values.peers), Number(values.rounds), Number(values.steps)];
const half = Math.floor(rounds / 2);
const base = openSharedBase(embeddedModelDirectory(), { threads: 1 });
const log = createTrialLog(values.log);
const sizes = { peers, rounds, steps };
for (const seed of values.seeds.split(",").map(Number)) {
  for (const scene of scenes) {
    for (const [reference, settings] of Object.entries(REFERENCES)) {
      const trial = { scene, seed, reference, ...sizes };
      if (!log.has(trial)) log.add(trial, await run(scene, seed, settings));
    }
  }
}
for (const score of ["now", "before"])
  process.stdout.write(`\n${log.table({ rows: "reference", columns: "scene", score }, sizes)}`);
await base.release();

/** Test losses at the end: on the data that peers have then, and on those that they had first; of a late peer, its own alone. */
async function run(
  scene: Scene,
  seed: number,
  settings: ReferenceSettings,
): Promise<{ readonly now: number; readonly before: number; readonly seconds: number }> {
  const began = process.cpuUsage();
  const sets = setsOf(base, { split: { kind: scene === "changing" ? "distinct" : "iid" }, peers, seed });
  const totalSteps = rounds * steps;
  const first = await openTrainers(base, sets, { seed, totalSteps });
  const next = scene === "changing" ? [...sets.slice(1), sets[0]!] : sets;
  const second = scene === "changing" ? await openTrainers(base, next, { seed, totalSteps }) : first;
  const layout = { kind: gaugeKind(trialAdapter(base)), slots: adapterSlots(first[0]!.tensors) };
  const anchor = { settings, layout };
  const references: ReferenceState[] = first.map(() => emptyReference(settings));
  const start = await first[0]!.start();
  let trainers = first;
  for (let round = 0; round < rounds; round++) {
    if (round === half && trainers !== second) trainers = await movedTo(first, second);
    const there = scene === "late" && round < half ? trainers.slice(0, -1) : trainers;
    for (const trainer of there) await trainer.train({ steps });
    const sent = await Promise.all(there.map((trainer) => trainer.adapter()));
    const isPoisoned = scene === "poisoned" && POISONED.some((share) => Math.floor(share * rounds) === round);
    const lies = isPoisoned ? [towards(start, meanOfAdapters(sent), POISON)] : [];
    for (const [k, trainer] of there.entries()) {
      const others = [...sent.filter((_, j) => j !== k), ...lies];
      await trainer.setAdapter(towards(sent[k]!, meanOfAdapters(others), 0.5));
      const mixed = await trainer.adapter();
      await trainer.setAdapter(anchorToReference(references[k]!, mixed, anchor));
      references[k] = rememberModel(references[k]!, await trainer.adapter(), anchor);
    }
  }
  const scored = scene === "late" ? [trainers.at(-1)!] : trainers;
  const loss = async (trainer: Trainer, adapter: Float32Array): Promise<number> =>
    (await trainer.evaluate({ set: "test", adapter })).loss;
  const [now, before]: [number[], number[]] = [[], []];
  for (const [k, trainer] of scored.entries()) {
    const adapter = await trainer.adapter();
    now.push(await loss(trainer, adapter));
    before.push(await loss(scene === "changing" ? first[k]! : trainer, adapter));
  }
  for (const trainer of new Set([...first, ...second])) await trainer.close();
  const { user, system } = process.cpuUsage(began);
  return { now: meanOf(now), before: meanOf(before), seconds: (user + system) / 1e6 };
}

/** The second trainers go on where the first ones are, on their own data. */
async function movedTo(first: readonly Trainer[], second: readonly Trainer[]): Promise<readonly Trainer[]> {
  for (const [k, trainer] of first.entries()) await second[k]!.restore(await trainer.state());
  return second;
}
