/**
 * `npm run pretrain -- [--size s|m] [--out DIR] [--steps N]`: makes a base model from its seed: corpus, tokenizer, weights, and a
 * model card with its figures. Size s is the embedded model; size m goes into the folder pretrained-m unless --out names another.
 * The same machine and seed give the same bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { llama } from "../model/families/llama.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { createTokenizer } from "../model/tokenizer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { pretrainingStream, tokenizerTexts } from "./corpus.ts";
import { measureKinds, modelCard } from "./model-card.ts";
import { pretrain } from "./pretrain.ts";
import { baseConfig, baseSize } from "./sizes.ts";
import { trainTokenizer } from "./tokenizer-trainer.ts";

const SEED = 1;
/** Documents the tokenizer is learned from; more do not change its merges. */
const TOKENIZER_DOCUMENTS = 4000;
/** 64 tokens hold the longest document, and about five of the usual ones. */
const SETTINGS = { windows: 32, tokens: 64, learningRate: 3e-3, weightDecay: 0.1, warmupSteps: 100 };

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "s" },
    out: { type: "string" },
    steps: { type: "string", default: "4000" },
  },
});

const tokenizerFiles = trainTokenizer(tokenizerTexts({ seed: SEED, count: TOKENIZER_DOCUMENTS }));
const tokenizer = createTokenizer(tokenizerFiles);
const config = baseConfig(baseSize(values.size), tokenizer);
const out = values.out ?? (values.size === "s" ? join(import.meta.dirname, "../model/embedded") : "pretrained-m");
const family = llama(config);
const settings = { ...SETTINGS, steps: Number(values.steps) };
const losses: number[] = [];
const runtime = createOnnxRuntime();
const weights = await pretrain(runtime, {
  family,
  tokenizer,
  documents: pretrainingStream({ seed: SEED, count: Number.MAX_SAFE_INTEGER }),
  prng: createPrng(SEED).fork("pretrain"),
  settings,
  onStep: ({ step, loss }) => {
    losses.push(loss);
    if (step % 100 === 0) process.stderr.write(`step ${step} of ${values.steps}, loss ${loss.toFixed(4)}\n`);
  },
});

mkdirSync(out, { recursive: true });
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
writeFileSync(join(out, "config.json"), json(config));
writeFileSync(join(out, "tokenizer.json"), json(tokenizerFiles.tokenizerJson));
writeFileSync(join(out, "tokenizer_config.json"), json(tokenizerFiles.tokenizerConfig));
writeFileSync(
  join(out, "model.safetensors"),
  writeSafetensors(
    family.weights.map(({ name, shape }, i) => ({ name, shape, data: weights[i]! })),
    { format: "pt" },
  ),
);
const last = losses.slice(-100);
writeFileSync(
  join(out, "README.md"),
  modelCard({
    figures: await measureKinds(runtime, readModelFiles(out)),
    settings,
    seed: SEED,
    parameters: parameterCount(family.weights),
    finalLoss: last.reduce((sum, x) => sum + x, 0) / last.length,
  }),
);
