/**
 * `npm run bench:adjustment [-- --seeds 1,2,3] [--peers 4] [--splits distinct,0.5] [--ways …] [--head-rates 0.005,0.02] [--log FILE]`:
 * what logit adjustment is worth to a classifier whose peers have one domain of CLINC150 each, 15 classes of 15 times the peers, or shares
 * of all these classes drawn with a concentration. A head that stays local, a shared one, and a shared one with the adjustment; and
 * which rate of the head suits the adapter's. One line of JSON for each; what --log has is not computed again. The encoder has 2 layers of
 * random weights that nobody pre-trained, so that the figures compare the ways with each other and say nothing of CLINC150.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Example, Trainer } from "../../node/interface/trainer.ts";
import { bert } from "../../node/model/families/bert.ts";
import { loadBaseModel } from "../../node/model/huggingface.ts";
import { writeSafetensors } from "../../node/model/safetensors.ts";
import { createTokenizer } from "../../node/model/tokenizer.ts";
import { memoryFile } from "../../node/model/weight-file.ts";
import { createOnnxRuntime } from "../../node/system/compute/onnxruntime.ts";
import { createTrainer } from "../../node/training/trainer.ts";
import { createPrng } from "../../protocol/prng.ts";
import { drawnGroups, type IntentFiles, intentGroups } from "./assets-data.ts";
import { meanOf } from "./cell.ts";
import { chosenWords } from "./chosen-words.ts";
import { divide } from "./embedded-data.ts";
import { createTrialLog } from "./trial-log.ts";
import { meanOfAdapters } from "./tried-rules.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    peers: { type: "string", default: "4" },
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "20" },
    splits: { type: "string", default: "distinct,0.5" },
    ways: { type: "string", default: "" },
    "head-rates": { type: "string", default: "" },
    log: { type: "string", default: "" },
    assets: { type: "string", default: resolve(import.meta.dirname, "../../../shared/assets") },
  },
});

const peers = Number(values.peers);
/** Of a domain; validation is divided too, and each peer has at least a batch of it. */
const SIZES = { train: 240, validation: 64, test: 90 };
const TOKENS_MAX = 32;
const HIDDEN = 96;
const read = (name: string): string => readFileSync(join(values.assets, name), "utf8");
const tokenizer = createTokenizer({
  tokenizerJson: JSON.parse(read("models/tinystories-656k/tokenizer.json")),
  tokenizerConfig: JSON.parse(read("models/tinystories-656k/tokenizer_config.json")),
});
const groups = intentGroups({
  questions: JSON.parse(read("data/clinc150/data_full.json")) as IntentFiles["questions"],
  domains: JSON.parse(read("data/clinc150/domains.json")) as IntentFiles["domains"],
});
const intents = [...groups.values()]
  .slice(0, peers)
  .flatMap((records) => [...new Set(records.map(({ fields }) => fields.intent!))]);
const classOf = new Map(intents.map((intent, i) => [intent, i]));

/** A bert of random weights, in the scale of its own start but for attention that looks at something. */
function encoder(seed: number) {
  const config = {
    model_type: "bert",
    vocab_size: tokenizer.vocabularySize,
    hidden_size: HIDDEN,
    intermediate_size: 2 * HIDDEN,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 64,
    type_vocab_size: 2,
    pad_token_id: 0,
    id2label: Object.fromEntries(intents.map((intent, i) => [i, intent])),
  };
  const prng = createPrng(seed).fork("encoder");
  const weights = bert(config).weights.map(({ name, shape }) => {
    const stream = prng.fork(name);
    const isNorm = /LayerNorm\.weight$/.test(name);
    const length = shape.reduce((product, n) => product * n, 1);
    const scale = shape.length === 1 ? 0 : 1 / Math.sqrt(HIDDEN);
    return { name, shape, data: Float32Array.from({ length }, () => (isNorm ? 1 : scale * stream.normal())) };
  });
  return { directory: "m", config, shards: [memoryFile("model.safetensors", writeSafetensors(weights))] };
}

function examplesOf(seed: number, split: string): readonly Record<"train" | "validation" | "test", Example[]>[] {
  const drawn = drawnGroups(groups, { count: peers, sizes: SIZES, seed });
  const rule = { kind: "dirichlet", alpha: Number(split), field: "intent" } as const;
  return (split === "distinct" ? drawn : divide(drawn.flat(), { peers, seed, batchSize: 16 }, rule)).map((records) => {
    const sets = { train: [] as Example[], validation: [] as Example[], test: [] as Example[] };
    for (const { prompt, fields } of records) {
      const text = [0, ...tokenizer.encode(prompt)].slice(0, TOKENS_MAX);
      const example = { tokens: [...text, classOf.get(fields.intent!)!], promptLength: text.length };
      sets[fields.set as keyof typeof sets].push(example);
    }
    return sets;
  });
}

const WAYS = {
  alone: { head: "trained", mixes: false },
  "local head": { head: "trained", mixes: true },
  "shared head": { head: "shared", mixes: true },
  "adjusted shared head": { head: "shared", mixes: true, logitAdjustment: 1 },
} as const;

const runtime = createOnnxRuntime();
const LEARNING_RATE = 5e-3;
const ways = chosenWords("ways", values.ways, Object.keys(WAYS));
const headRates = values["head-rates"] === "" ? [LEARNING_RATE] : values["head-rates"].split(",").map(Number);
const log = createTrialLog(values.log);
const sizes = { peers, rounds: Number(values.rounds), steps: Number(values.steps) };
const runs = values.seeds
  .split(",")
  .flatMap((seed) => values.splits.split(",").map((split) => [split, Number(seed)] as const));
for (const [split, seed] of runs) {
  const files = encoder(seed);
  loadBaseModel(files);
  const data = examplesOf(seed, split);
  const everything = data.flatMap(({ test }) => test);
  for (const [way, headRate] of ways.flatMap((one) => headRates.map((rate) => [one, rate] as const))) {
    const trial = { split, seed, way, headRate, ...sizes };
    if (log.has(trial)) continue;
    const { head, mixes, ...rest } = WAYS[way as keyof typeof WAYS];
    const open = (sets: (typeof data)[number], training: { readonly logitAdjustment?: number }): Promise<Trainer> =>
      createTrainer(
        { runtime, files },
        {
          modelDirectory: "m",
          adapter: { kind: "lora", rank: 8, alpha: 16, layers: "all", targets: ["query", "value", "dense"] },
          training: {
            ...{ optimizer: "adamw", learningRate: LEARNING_RATE, weightDecay: 0, gradientClip: 1, batchSize: 16 },
            headLearningRate: headRate,
            ...{ maxTokens: TOKENS_MAX + 1, schedule: { kind: "linear", warmupSteps: 10 } },
            ...training,
          },
          networkSeed: seed,
          peerSeed: seed,
          data: sets,
          head,
          engine: { threads: 1 },
          totalSteps: sizes.rounds * sizes.steps,
        },
      );
    const trainers = await Promise.all(data.map((sets) => open(sets, rest)));
    for (let round = 0; round < sizes.rounds; round++) {
      for (const trainer of trainers) await trainer.train({ steps: sizes.steps });
      if (!mixes) continue;
      const sent = await Promise.all(trainers.map((trainer) => trainer.adapter()));
      for (const trainer of trainers) await trainer.setAdapter(meanOfAdapters(sent));
    }
    const held: number[] = [];
    const own: number[] = [];
    const all: number[] = [];
    for (const [i, trainer] of trainers.entries()) {
      held.push((await trainer.evaluate({ set: "validation" })).loss);
      own.push((await trainer.evaluate({ set: "test" })).accuracy);
      // Who is no peer has no shares: z by itself, on everybody's classes.
      const outside = await open({ ...data[i]!, test: everything }, {});
      await outside.restore(await trainer.state());
      all.push((await outside.evaluate({ set: "test" })).accuracy);
      await Promise.all([outside.close(), trainer.close()]);
    }
    log.add(trial, { own: meanOf(own), allClasses: meanOf(all), validation: meanOf(held) });
  }
}
for (const headRate of headRates) {
  for (const score of ["own", "allClasses"]) {
    const table = log.table({ rows: "way", columns: "split", score, isShare: true }, { headRate, ...sizes });
    process.stdout.write(`\nhead rate ${headRate}\n\n${table}`);
  }
}
