/**
 * One case of `npm run bench:base` in a process of its own, so that its peak memory is its own: an evaluation and some steps
 * on the training thread, as every command trains. Names each step on standard error, and prints one line of JSON. `--steps 0` only makes the file of the base in
 * its form.
 */
import { parseArgs } from "node:util";
import { createPrng } from "../../protocol/prng.ts";
import { BASE_FORMS, type BaseForm } from "../../protocol/settings/base-forms.ts";
import { DEVICES } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";
import { readModelFiles } from "../system/files/model-files.ts";

/** The line that one case prints. */
export interface BaseMeasurement {
  /** Medians; null where nothing was trained. */
  readonly stepMs: number | null;
  readonly processorMs: number | null;
  /** Until the first step can be taken: model, graph, session; where nothing was trained, making the file. */
  readonly loadMs: number;
  readonly losses: readonly number[];
}

/** The adapter of all cases, as torch_base.py has it. */
export const BENCH_ADAPTER = {
  kind: "lora",
  rank: 8,
  alpha: 16,
  targets: ["q_proj", "v_proj"],
  layers: "all",
} as const;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      base: { type: "string", default: "f32" },
      device: { type: "string", default: "cpu" },
      examples: { type: "string", default: "4" },
      tokens: { type: "string", default: "128" },
      "low-memory": { type: "boolean", default: false },
      "stream-blocks": { type: "boolean", default: false },
      evaluate: { type: "boolean", default: true },
      steps: { type: "string", default: "4" },
      warmup: { type: "string", default: "1" },
      threads: { type: "string", default: "2" },
    },
    allowNegative: true,
  });
  const base = BASE_FORMS.find((form) => form === values.base) as BaseForm;
  const device = DEVICES.find((one) => one === values.device) ?? "cpu";
  const modelDirectory = values.model!;
  const [examples, tokens] = [Number(values.examples), Number(values.tokens)];
  const began = performance.now();
  const files = readModelFiles(modelDirectory);
  if (values.steps === "0") {
    void inBaseForm(loadBaseModel(files), files, base).externalData;
    print({ stepMs: null, processorMs: null, loadMs: performance.now() - began, losses: [] });
    return;
  }
  const stream = createPrng(5);
  const { vocab_size: vocabulary } = files.config as { readonly vocab_size: number };
  const texts: Example[] = Array.from({ length: examples }, () => ({
    tokens: Array.from({ length: tokens }, () => stream.below(vocabulary)),
    promptLength: 1,
  }));
  const trainer = await startTrainerThread({
    modelDirectory,
    adapter: BENCH_ADAPTER,
    training: {
      ...{ optimizer: "adamw" as const, learningRate: 1e-4, weightDecay: 0, gradientClip: 1 },
      ...{ batchSize: examples, maxTokens: tokens },
    },
    networkSeed: 1,
    peerSeed: 1,
    data: { train: texts, validation: texts, test: texts },
    engine: {
      ...{ threads: Number(values.threads), base, device },
      ...{ lowMemory: values["low-memory"], streamBlocks: values["stream-blocks"] },
    },
    activationBytesMax: 0,
  });
  const loadMs = performance.now() - began;
  if (values.evaluate) await trainer.evaluate({ set: "test" });
  const losses: number[] = [];
  const [took, processor]: [number[], number[]] = [[], []];
  for (let i = -Number(values.warmup); i < Number(values.steps); i++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    losses.push(...(await trainer.train({ steps: 1 })).losses);
    const { user, system } = process.cpuUsage(before);
    process.stderr.write("step\n");
    if (i < 0) continue;
    took.push(performance.now() - start);
    processor.push((user + system) / 1000);
  }
  print({ stepMs: median(took), processorMs: median(processor), loadMs, losses });
  await trainer.close();
}

function median(list: readonly number[]): number | null {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? null;
}

function print(measurement: BaseMeasurement): void {
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}
