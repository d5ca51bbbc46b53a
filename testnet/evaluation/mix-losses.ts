/**
 * `npm run bench:mixes`: how far above its own loss a mix takes an honest peer among honest ones. The bound at which a round
 * refuses a mix (node/round/settle-adapter.ts) has to be above that. One line of JSON for each division, kind and lambda.
 */
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { openSharedBase } from "./base.ts";
import { embeddedData } from "./embedded-data.ts";
import { aloneName, robustnessTable } from "./robustness-table.ts";
import { simulate } from "./simulate.ts";
import type { Split } from "./split.ts";

const SPLITS: readonly Split[] = [{ kind: "distinct" }, { kind: "mixed" }, { kind: "iid" }];
const PEERS = 4;
const SETTINGS = { rounds: 6, localSteps: 12 };
const TRAINING = { batchSize: 4, maxTokens: 40 };
const SIZES = { train: 48, validation: 32, test: 16 };

const { methods } = robustnessTable();
const base = openSharedBase(embeddedModelDirectory(), { threads: 1 });
for (const split of SPLITS) {
  const shape = { sizes: SIZES, tokenizer: base.tokenizer, maxTokens: 40, batchSize: 4 };
  const data = embeddedData({ split, peers: PEERS, seed: 1, ...shape });
  for (const kind of ["lora", "loreft", "tri-lora"]) {
    const { adapter, learningRates } = methods.find(({ name }) => name === aloneName(kind))!;
    for (const value of [0.5, 1]) {
      const mixes: { readonly own: number; readonly mixed: number }[] = [];
      const { peers } = await simulate({
        base,
        data,
        method: { name: kind, exchange: "others", adapter, aggregation: { lambda: { mode: "fixed", value } } },
        settings: { ...SETTINGS, training: { ...TRAINING, learningRate: learningRates![0]! } },
        seed: 1,
        lookEvery: SETTINGS.rounds,
        scoresOthers: false,
        onMix: (mix) => mixes.push(mix),
      });
      const worst = mixes.reduce((a, b) => (b.mixed - b.own > a.mixed - a.own ? b : a));
      const line = {
        split: split.kind,
        kind,
        lambda: value,
        above: Math.max(...mixes.map(({ own, mixed }) => mixed - own)),
        aboveTwice: Math.max(...mixes.map(({ own, mixed }) => mixed - 2 * own)),
        worst,
        refused: peers.reduce((sum, { refused }) => sum + refused, 0),
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
  }
}
await base.release();
