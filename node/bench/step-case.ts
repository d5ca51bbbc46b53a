/**
 * One case of `npm run bench:step` in a process of its own, so that its peak memory is its own: prints one JSON line
 * with tokens per second (median of the measured steps) and peak memory.
 */
import { parseArgs } from "node:util";
import { createPrng } from "../../protocol/prng.ts";
import type { Example } from "../interface/trainer.ts";
import { readModelFiles } from "../system/model-files.ts";
import { createOnnxRuntime } from "../system/onnxruntime.ts";
import { createTrainer } from "../training/trainer.ts";
import { STEP_CASES, type StepCase, type StepCaseName } from "./step-cases.ts";

const { values } = parseArgs({
  options: {
    case: { type: "string" },
    model: { type: "string" },
    steps: { type: "string", default: "6" },
    threads: { type: "string", default: "2" },
  },
});
const { adapter, batchSize, tokens, promptTokens }: StepCase = STEP_CASES[values.case as StepCaseName];
const modelDirectory = values.model!;
const stream = createPrng(5);
const examples: Example[] = Array.from({ length: batchSize }, () => ({
  tokens: Array.from({ length: tokens }, () => stream.below(49152)),
  promptLength: promptTokens,
}));
const began = performance.now();
const trainer = await createTrainer(
  { runtime: createOnnxRuntime(), files: readModelFiles(modelDirectory) },
  {
    modelDirectory,
    adapter,
    training: { optimizer: "adamw", learningRate: 1e-4, weightDecay: 0, gradientClip: 1, batchSize, maxTokens: tokens },
    networkSeed: 1,
    peerSeed: 1,
    data: { train: examples, validation: examples, test: examples },
    threads: Number(values.threads),
  },
);
const loadMs = performance.now() - began;
/** Two steps until caches, allocator and pages are warm. */
await trainer.train({ steps: 2 });
const times: number[] = [];
for (let i = 0; i < Number(values.steps); i++) {
  const start = performance.now();
  await trainer.train({ steps: 1 });
  times.push(performance.now() - start);
}
const stepMs = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
process.stdout.write(
  `${JSON.stringify({ case: values.case, stepMs, tokensPerSecond: (1000 * batchSize * tokens) / stepMs, peakMb: process.resourceUsage().maxRSS / 1000, loadMs })}\n`,
);
await trainer.close();
