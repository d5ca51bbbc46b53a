/**
 * `npm run bench:leak [-- --steps N]`: takes many local steps with the embedded model and watches the process's memory.
 * After the first tenth it must stay flat: exits with 1 when the last tenth's median is more than 5 % above the second's.
 */
import { parseArgs } from "node:util";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "../training/trainer.ts";

/** Growth of the resident set that is still called flat: noise of the allocator and of the garbage collector. */
const GROWTH_MAX = 0.05;
const SAMPLES = 100;

const { values } = parseArgs({ options: { steps: { type: "string", default: "10000" } } });
const steps = Number(values.steps);
const modelDirectory = embeddedModelDirectory();
const training = {
  optimizer: "adamw",
  learningRate: 1e-3,
  weightDecay: 0,
  gradientClip: 1,
  batchSize: 8,
  maxTokens: 64,
} as const;
const { sets } = await loadExamples({ modelDirectory, seed: 1, part: { index: 0, count: 4 }, ...training });
const trainer = await createTrainer(
  { runtime: createOnnxRuntime(), files: readModelFiles(modelDirectory) },
  {
    modelDirectory,
    adapter: { kind: "loreft", rank: 4, layers: "all", positions: { first: 4, last: 6, tied: false } },
    training,
    networkSeed: 1,
    peerSeed: 1,
    data: sets,
    engine: { threads: 2 },
  },
);
const residentMb: number[] = [];
for (let i = 0; i < SAMPLES; i++) {
  await trainer.train({ steps: Math.ceil(steps / SAMPLES) });
  if (i % 10 === 9) await trainer.evaluate({ set: "validation" });
  residentMb.push(process.memoryUsage().rss / 1e6);
}
await trainer.close();
const median = (part: readonly number[]): number => part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)]!;
const early = median(residentMb.slice(SAMPLES / 10, (2 * SAMPLES) / 10));
const late = median(residentMb.slice((-1 * SAMPLES) / 10));
const growth = late / early - 1;
process.stdout.write(
  `${steps} steps: ${early.toFixed(1)} MB after the first tenth, ${late.toFixed(1)} MB at the end, growth ${(100 * growth).toFixed(1)} %\n`,
);
process.exitCode = growth > GROWTH_MAX ? 1 : 0;
