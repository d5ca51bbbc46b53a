/**
 * `npm run bench:lambda [-- --peers 4,8] [--seeds 1,2,3] [--rounds 16] [--splits distinct,mixed,dirichlet-0.1]
 * [--rules alone,pooled,fixed:0.5,search,adaptive,search+momentum:1]`: the lambda rules on the embedded tasks, one line of JSON for each run:
 * mean own-task test scores over the peers. The rules choose on validation data; test data is scored once, at the end.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { LambdaRule, TrainingSpec } from "../../protocol/network-manifest.ts";
import { openSharedBase } from "./base.ts";
import { BENCH_ADAPTERS } from "./bench-adapters.ts";
import { embeddedData } from "./embedded-data.ts";
import { materialOf } from "./material.ts";
import type { Method } from "./method.ts";
import { simulate } from "./simulate.ts";
import { type Split, splitName } from "./split.ts";
import type { Suite } from "./table.ts";

const { values } = parseArgs({
  options: {
    peers: { type: "string", default: "4,8" },
    seeds: { type: "string", default: "1,2,3" },
    splits: { type: "string", default: "distinct,mixed,dirichlet-0.1" },
    rules: { type: "string", default: "alone,fixed:0.5,search,adaptive" },
    rounds: { type: "string", default: "16" },
    steps: { type: "string", default: "10" },
    threads: { type: "string", default: "1" },
    data: { type: "string", default: "tasks" },
    adapter: { type: "string", default: "" },
    rate: { type: "string", default: "0.005" },
    schedule: { type: "string", default: "constant" },
    train: { type: "string", default: "64" },
    batch: { type: "string", default: "8" },
    tokens: { type: "string", default: "64" },
    assets: { type: "string", default: resolve(import.meta.dirname, "../../../shared/assets") },
  },
});

const BATCH = Number(values.batch);
const TOKENS_MAX = Number(values.tokens);
/** As in the product's testnet. */
const SIZES = { train: Number(values.train), validation: 40, test: 120 };
const LEARNING_RATE = Number(values.rate);
const SCHEDULE: Pick<TrainingSpec, "schedule"> =
  values.schedule === "linear" ? { schedule: { kind: "linear", warmupSteps: 10 } } : {};
const ADAPTER: AdapterSettings = BENCH_ADAPTERS[values.adapter]?.adapter ?? {
  kind: "loreft",
  rank: 4,
  layers: "all",
  positions: { first: 4, last: 6, tied: false },
};

function splitOf(word: string): Split {
  if (word === "distinct" || word === "mixed" || word === "iid") return { kind: word };
  const alpha = Number(/^dirichlet-([\d.]+)$/.exec(word)?.[1]);
  if (alpha > 0) return { kind: "dirichlet", alpha };
  throw new Error(`there is no split "${word}"; write distinct, mixed, iid or dirichlet-ALPHA`);
}

function ruleOf(word: string): LambdaRule {
  const [mode, value] = word.split(":");
  if (mode === "search" || mode === "adaptive") return { mode };
  if (mode === "fixed") return { mode, value: Number(value) };
  throw new Error(`there is no rule "${word}"; write alone, search, adaptive or fixed:VALUE`);
}

function methodOf(word: string): Method {
  if (word === "alone") return { name: word, exchange: "none", adapter: ADAPTER };
  if (word === "pooled") return { name: word, exchange: "pooled", adapter: ADAPTER };
  const [rule = "", momentum] = word.split("+momentum:");
  const pushed = momentum !== undefined && { momentum: Number(momentum) };
  return { name: word, exchange: "others", adapter: ADAPTER, aggregation: { lambda: ruleOf(rule), ...pushed } };
}

const numbers = (list: string): number[] => list.split(",").map(Number);
const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;

/** The embedded tasks, or speakers of Shakespeare's plays where the assets are there. */
const material =
  values.data === "speakers"
    ? await materialOf(
        {
          ...{ data: "speakers", base: "tinystories-656k", sizes: { ...SIZES, validation: 16, test: 24 } },
          training: { maxTokens: TOKENS_MAX, batchSize: BATCH },
        } as unknown as Suite,
        { assets: values.assets, base: undefined, threads: Number(values.threads) },
        (reason) => process.stderr.write(`${reason}\n`),
      )
    : undefined;
const base = material?.base ?? openSharedBase(embeddedModelDirectory(), { threads: Number(values.threads) });
for (const split of values.splits.split(",").map(splitOf)) {
  for (const peers of numbers(values.peers)) {
    for (const seed of numbers(values.seeds)) {
      const { tokenizer } = base;
      const shape = { sizes: SIZES, tokenizer, maxTokens: TOKENS_MAX, batchSize: BATCH };
      const data = (await material?.data({ split, peers, seed })) ?? embeddedData({ split, peers, seed, ...shape });
      for (const rule of values.rules.split(",")) {
        const result = await simulate({
          base,
          data,
          method: methodOf(rule),
          settings: {
            rounds: Number(values.rounds),
            localSteps: Number(values.steps),
            training: { learningRate: LEARNING_RATE, ...SCHEDULE, batchSize: BATCH, maxTokens: TOKENS_MAX },
          },
          seed,
        });
        const own = result.peers.map((peer) => peer.own);
        const line = {
          split: splitName(split),
          peers,
          seed,
          rule,
          loss: mean(own.map(({ loss }) => loss)),
          accuracy: mean(own.map(({ accuracy }) => accuracy)),
          exactMatch: mean(own.map(({ exactMatch }) => exactMatch)),
          worstLoss: Math.max(...own.map(({ loss }) => loss)),
          refused: result.peers.reduce((sum, { refused }) => sum + refused, 0),
          seconds: result.seconds,
        };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      }
    }
  }
}
await base.release();
