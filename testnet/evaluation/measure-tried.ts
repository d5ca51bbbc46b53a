/**
 * `npm run bench:tried [-- --seeds 1,2,3] [--splits iid,0.5,distinct] [--peers 4] [--rounds 8] [--steps 12] [--ways …]`: ways to put
 * adapters together that the product does not have, beside plain ones, on the embedded tasks. One line of JSON for each way, seed and
 * division; a way that is in `--log` already is not computed again. Test sets are looked at once, after the last round.
 */
import { parseArgs } from "node:util";
import type { Trainer } from "../../node/interface/trainer.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { openSharedBase } from "./base.ts";
import { meanOf } from "./cell.ts";
import { chosenWords } from "./chosen-words.ts";
import { heldOut, openTrainers, setsOf, splitOf, trialAdapter } from "./small-swarm.ts";
import { grouped } from "./summary-rows.ts";
import { createTrialLog } from "./trial-log.ts";
import { distance, meanOfAdapters, nesterovStep, normRestored, tiesMerged, towards } from "./tried-rules.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    splits: { type: "string", default: "iid,0.5,distinct" },
    peers: { type: "string", default: "4" },
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "12" },
    ways: { type: "string", default: "" },
    log: { type: "string", default: "" },
  },
});

/** One peer's view of a round. */
interface Question {
  readonly trainer: Trainer;
  readonly own: Float32Array;
  readonly others: readonly Float32Array[];
  readonly start: Float32Array;
  /** What this peer remembers from round to round. */
  readonly memory: Map<string, Float32Array>;
  readonly isLast: boolean;
}

/** From a round to the adapter that leaves it, f32[P]. */
type Way = (question: Question) => Float32Array | Promise<Float32Array>;

/** Candidates of a search, as the product has them. */
const QUARTERS = [0, 0.25, 0.5, 0.75, 1] as const;
/** How far a peer looks towards a neighbour for the slope of its held-out loss. */
const PROBE = 0.05;

const everybody = ({ own, others }: Question): Float32Array => meanOfAdapters([own, ...others]);

/** λ from quarters by the held-out loss, of the whole adapter. */
async function searched({ trainer, own, others }: Question): Promise<Float32Array> {
  const z = meanOfAdapters(others);
  const mixes = QUARTERS.map((lambda) => towards(own, z, lambda));
  const losses: number[] = [];
  for (const mix of mixes) losses.push(await heldOut(trainer, mix, adapter));
  return mixes[losses.indexOf(Math.min(...losses))]!;
}

/** λ of each layer by itself, layer after layer from the best of the whole on. */
async function searchedByLayer(question: Question): Promise<Float32Array> {
  const { trainer, own, others } = question;
  const z = meanOfAdapters(others);
  let best = await searched(question);
  let least = await heldOut(trainer, best, adapter);
  const layers = grouped(adapterSlots(trainer.tensors), ({ name }) => /layers?\.(\d+)\./.exec(name)?.[1] ?? "");
  for (const slots of layers.values()) {
    const from = best;
    for (const lambda of QUARTERS) {
      const mix = from.slice();
      for (const { offset, length } of slots)
        mix.set(towards(own.subarray(offset, offset + length), z.subarray(offset, offset + length), lambda), offset);
      const loss = await heldOut(trainer, mix, adapter);
      if (loss < least) [best, least] = [mix, loss];
    }
  }
  return best;
}

/** Half of the way to a mean that weighs each neighbour by the slope of the held-out loss towards it, and leaves out those that rise. */
async function byValidationGradient({ trainer, own, others }: Question): Promise<Float32Array> {
  const before = await heldOut(trainer, own, adapter);
  const slopes: number[] = [];
  for (const other of others) {
    const after = await heldOut(trainer, towards(own, other, PROBE), adapter);
    slopes.push(Math.max(0, (before - after) / (PROBE * Math.max(distance(own, other), Number.EPSILON))));
  }
  return slopes.some((slope) => slope > 0) ? towards(own, meanOfAdapters(others, slopes), 0.5) : own;
}

function pushed({ own, others, memory, isLast }: Question): Float32Array {
  const z = meanOfAdapters(others);
  const past = memory.get("z");
  memory.set("z", z);
  return towards(own, past && !isLast ? towards(past, z, 2) : z, 0.5);
}

function outerStep(question: Question): Float32Array {
  const { memory, start } = question;
  const before = memory.get("x") ?? start;
  const { next, velocity } = nesterovStep(before, everybody(question), memory.get("v") ?? start.map(() => 0));
  memory.set("x", next).set("v", velocity);
  return next;
}

const WAYS: Readonly<Record<string, Way>> = {
  alone: ({ own }) => own,
  "lambda 0.5": ({ own, others }) => towards(own, meanOfAdapters(others), 0.5),
  "mean of all": everybody,
  search: searched,
  "search by layer": searchedByLayer,
  "validation gradient": byValidationGradient,
  "momentum 1": pushed,
  "Nesterov outer step": outerStep,
  TIES: ({ own, others, start }) => tiesMerged([own, ...others], start),
  "norm restored": ({ own, others, start }) => normRestored([own, ...others], start),
};

const ways = chosenWords("ways", values.ways, Object.keys(WAYS));
const [peers, rounds, steps] = [Number(values.peers), Number(values.rounds), Number(values.steps)];
const base = openSharedBase(embeddedModelDirectory(), { threads: 1 });
const adapter = trialAdapter(base);
const log = createTrialLog(values.log);
const sizes = { peers, rounds, steps };
for (const seed of values.seeds.split(",").map(Number)) {
  for (const split of values.splits.split(",")) {
    for (const way of ways) {
      const settings = { split, seed, way, ...sizes };
      if (!log.has(settings)) log.add(settings, await run(WAYS[way]!, { split, seed }));
    }
  }
}
for (const shape of [{ score: "loss" }, { score: "right", isShare: true }])
  process.stdout.write(`\n${log.table({ rows: "way", columns: "split", ...shape }, sizes)}`);
await base.release();

/** The means over the peers at the end. */
async function run(
  way: Way,
  { split, seed }: { readonly split: string; readonly seed: number },
): Promise<{ readonly loss: number; readonly right: number; readonly seconds: number }> {
  const began = process.cpuUsage();
  const sets = setsOf(base, { split: splitOf(split), peers, seed });
  const trainers = await openTrainers(base, sets, { seed, totalSteps: rounds * steps });
  const start = await trainers[0]!.start();
  const memories = trainers.map(() => new Map<string, Float32Array>());
  for (let round = 0; round < rounds; round++) {
    for (const trainer of trainers) await trainer.train({ steps });
    const sent = await Promise.all(trainers.map((trainer) => trainer.adapter()));
    for (const [k, trainer] of trainers.entries()) {
      const others = sent.filter((_, j) => j !== k);
      const rest = { others, start, memory: memories[k]!, isLast: round + 1 === rounds };
      await trainer.setAdapter(await way({ trainer, own: sent[k]!, ...rest }));
    }
  }
  const tests = [];
  for (const trainer of trainers) tests.push(await trainer.evaluate({ set: "test" }));
  for (const trainer of trainers) await trainer.close();
  const { user, system } = process.cpuUsage(began);
  const [loss, right] = [meanOf(tests.map((one) => one.loss)), meanOf(tests.map(({ exactMatch }) => exactMatch))];
  return { loss, right, seconds: (user + system) / 1e6 };
}
