/**
 * `npm run bench:recipe [-- --data text,tasks,intents] [--adapters loreft:r8:all,lora:r8] [--rates 0.003,0.01] [--steps 160]`: which adapter at which
 * rate learns most from one peer's data on a shallow model, one line of JSON for each run. The table of node/manifest/recipe-table.ts
 * comes from here. Rates of a kind are 1, 3, 10, ... times the smallest until the held-out loss has a minimum inside.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { createTrainer } from "../../node/training/trainer.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { BENCH_ADAPTERS } from "./bench-adapters.ts";
import { materialOf } from "./material.ts";
import type { Suite } from "./table.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "tasks,text,intents" },
    adapters: { type: "string", default: "" },
    rates: { type: "string", default: "" },
    steps: { type: "string", default: "160" },
    seeds: { type: "string", default: "1" },
    batch: { type: "string", default: "8" },
    schedule: { type: "string", default: "linear" },
    assets: { type: "string", default: resolve(import.meta.dirname, "../../../shared/assets") },
  },
});

/** One peer's data of each sort: what a member of a small network has. */
const SORTS: Readonly<
  Record<string, Pick<Suite, "data" | "base" | "sizes" | "splits"> & { readonly maxTokens: number }>
> = {
  tasks: {
    data: "tasks",
    base: "embedded",
    sizes: { train: 64, validation: 40, test: 120 },
    splits: [{ kind: "mixed" }],
    maxTokens: 64,
  },
  text: {
    data: "speakers",
    base: "tinystories-656k",
    sizes: { train: 80, validation: 20, test: 20 },
    splits: [{ kind: "distinct" }],
    maxTokens: 128,
  },
  intents: {
    data: "intents",
    base: "tinystories-656k",
    sizes: { train: 240, validation: 60, test: 60 },
    splits: [{ kind: "distinct" }],
    maxTokens: 48,
  },
};

const listed = (text: string): readonly string[] => text.split(",").filter((word) => word !== "");
const numbers = (text: string): readonly number[] => listed(text).map(Number);
const [steps, batchSize] = [Number(values.steps), Number(values.batch)];
const schedule =
  values.schedule === "constant" ? {} : { schedule: { kind: values.schedule as "linear", warmupSteps: 10 } };

for (const sort of listed(values.data)) {
  const { maxTokens, ...suite } = SORTS[sort]!;
  const material = await materialOf(
    { ...suite, training: { maxTokens, batchSize } } as unknown as Suite,
    { assets: values.assets, base: undefined, threads: 1 },
    (reason) => process.stderr.write(`${reason}\n`),
  );
  if (!material) continue;
  for (const name of values.adapters === "" ? Object.keys(BENCH_ADAPTERS) : listed(values.adapters)) {
    const { adapter, from } = BENCH_ADAPTERS[name]!;
    const asked = numbers(values.rates);
    const tried: { readonly rate: number; readonly loss: number }[] = [];
    // Three rates at least, and further ones while the largest is the best.
    for (let i = 0; i < (asked.length || 7); i++) {
      const rate = asked[i] ?? Number((from * [1, 10 / 3][i % 2]! * 10 ** Math.floor(i / 2)).toPrecision(1));
      const loss = await measured(material, { adapter, rate, sort, name, maxTokens });
      tried.push({ rate, loss });
      const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
      if (asked.length === 0 && i >= 2 && best !== tried.at(-1)) break;
    }
  }
  await material.base.release();
}

/** One line for each run; the mean over the seeds of the validation loss that a rate is judged by. */
async function measured(
  { base, data }: NonNullable<Awaited<ReturnType<typeof materialOf>>>,
  {
    adapter,
    rate,
    sort,
    name,
    maxTokens,
  }: {
    readonly adapter: AdapterSettings;
    readonly rate: number;
    readonly sort: string;
    readonly name: string;
    readonly maxTokens: number;
  },
): Promise<number> {
  const losses: number[] = [];
  for (const seed of numbers(values.seeds)) {
    const [peer] = await data({ split: SORTS[sort]!.splits[0]!, peers: sort === "tasks" ? 4 : 1, seed });
    const trainer = await createTrainer(
      { runtime: base.runtime, files: base.files },
      {
        modelDirectory: base.directory,
        adapter,
        training: {
          optimizer: "adamw",
          learningRate: rate,
          weightDecay: 0,
          gradientClip: 1,
          batchSize,
          maxTokens,
          ...schedule,
        },
        networkSeed: seed,
        peerSeed: seed,
        data: peer!.sets,
        engine: { threads: 1 },
        totalSteps: steps,
      },
    );
    try {
      const began = process.cpuUsage();
      await trainer.train({ steps });
      const { user, system } = process.cpuUsage(began);
      const validation = await trainer.evaluate({ set: "validation" });
      const test = await trainer.evaluate({ set: "test" });
      const line = {
        sort,
        adapter: name,
        rate,
        seed,
        validation: validation.loss,
        test: test.loss,
        exactMatch: test.exactMatch,
        values: (await trainer.adapter()).length,
        seconds: (user + system) / 1e6,
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      losses.push(Number.isFinite(validation.loss) ? validation.loss : Number.POSITIVE_INFINITY);
    } catch (error) {
      process.stderr.write(`${sort} ${name} ${rate}: ${(error as Error).message}\n`);
      losses.push(Number.POSITIVE_INFINITY);
    } finally {
      await trainer.close();
    }
  }
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
