/**
 * One case of `npm run bench:step` in a process of its own, so that its peak memory is its own: prints one line of JSON
 * with the median step, tokens per second, peak memory, and the share of the step outside the runtime.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createPrng } from "../../protocol/prng.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "../training/trainer.ts";
import { STEP_CASES, type StepCase, type StepCaseName } from "./step-cases.ts";

/** The line that one case prints. */
export interface StepMeasurement {
  readonly case: string;
  readonly stepMs: number;
  /** User and system time of all threads in a step, median: what other work on the machine changes least. */
  readonly processorMs: number;
  readonly tokensPerSecond: number;
  readonly peakMb: number;
  /** Share of a step that is spent outside of the runtime: feeding, optimiser, copying. */
  readonly overheadShare: number;
  /** Until the first step can be taken: model, graph, session. */
  readonly loadMs: number;
}

const { values } = parseArgs({
  options: {
    case: { type: "string" },
    model: { type: "string" },
    steps: { type: "string", default: "6" },
    threads: { type: "string", default: "2" },
    /** A folder for the runtime's profiles. */
    profile: { type: "string" },
  },
});
const name = values.case as StepCaseName;
const {
  adapter,
  batchSize,
  tokens,
  promptTokens,
  lowMemory,
  keepActivations,
  precision = "fp32",
}: StepCase = STEP_CASES[name];
const modelDirectory = values.model!;
const stream = createPrng(5);
const examples: Example[] = Array.from({ length: batchSize }, () => ({
  tokens: Array.from({ length: tokens }, () => stream.below(49152)),
  promptLength: promptTokens,
}));

/** Time spent inside the runtime since it was last read. */
let insideMs = 0;
const plain = createOnnxRuntime(values.profile ? { profilePrefix: join(values.profile, "session") } : {});
const timed: Runtime = {
  ...plain,
  load: async (model, options) => {
    const session = await plain.load(model, options);
    return {
      ...session,
      run: async (...call) => {
        const start = performance.now();
        const result = await session.run(...call);
        insideMs += performance.now() - start;
        return result;
      },
    };
  },
};

const began = performance.now();
const trainer = await createTrainer(
  { runtime: timed, files: readModelFiles(modelDirectory) },
  {
    modelDirectory,
    adapter,
    training: { optimizer: "adamw", learningRate: 1e-4, weightDecay: 0, gradientClip: 1, batchSize, maxTokens: tokens },
    networkSeed: 1,
    peerSeed: 1,
    data: { train: examples, validation: examples, test: examples },
    engine: { threads: Number(values.threads), lowMemory, precision },
    ...(keepActivations ? {} : { activationBytesMax: 0 }),
  },
);
const loadMs = performance.now() - began;
// Two steps until caches, allocator and pages are warm.
await trainer.train({ steps: 2 });
const steps: { readonly stepMs: number; readonly overheadShare: number }[] = [];
const processor: number[] = [];
for (let i = 0; i < Number(values.steps); i++) {
  insideMs = 0;
  const start = performance.now();
  const before = process.cpuUsage();
  await trainer.train({ steps: 1 });
  const stepMs = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  processor.push((user + system) / 1000);
  steps.push({ stepMs, overheadShare: 1 - insideMs / stepMs });
}
const median = steps.toSorted((a, b) => a.stepMs - b.stepMs)[Math.floor(steps.length / 2)]!;
const measurement: StepMeasurement = {
  case: name,
  ...median,
  processorMs: processor.toSorted((a, b) => a - b)[Math.floor(processor.length / 2)]!,
  tokensPerSecond: (1000 * batchSize * tokens) / median.stepMs,
  peakMb: process.resourceUsage().maxRSS / 1000,
  loadMs,
};
process.stdout.write(`${JSON.stringify(measurement)}\n`);
await trainer.close();
