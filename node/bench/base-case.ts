/**
 * One case of `npm run bench:base` in a process of its own, so that its peak memory is its own. Prints one line of JSON.
 * `--steps 0` only makes the file of the base in its form.
 */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createPrng } from "../../protocol/prng.ts";
import { BASE_FORMS, type BaseForm } from "../../protocol/settings/base-forms.ts";

import type { Example } from "../interface/trainer.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "../training/trainer.ts";

/** The line that one case prints. */
export interface BaseMeasurement {
  /** Medians; null where nothing was trained. */
  readonly stepMs: number | null;
  readonly processorMs: number | null;
  /** Largest resident set, the pages of mapped files included, and largest proportional share. */
  readonly peakMb: number;
  readonly peakPssMb: number;
  /** Until the first step can be taken: model, graph, session; where nothing was trained, making the file. */
  readonly loadMs: number;
  readonly losses: readonly number[];
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    base: { type: "string", default: "f32" },
    examples: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
    "low-memory": { type: "boolean", default: false },
    steps: { type: "string", default: "4" },
    warmup: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
  },
});
const base = BASE_FORMS.find((form) => form === values.base) as BaseForm;
const modelDirectory = values.model!;
const [examples, tokens] = [Number(values.examples), Number(values.tokens)];

/** A thread that looks at the process now and then: a step blocks this one. */
const largest = new Int32Array(new SharedArrayBuffer(4));
const watch = new Worker(
  `const { readFileSync } = require("node:fs");
  const { parentPort, workerData: largest } = require("node:worker_threads");
  const look = () => {
    const [, kb] = /^Pss:\\s+(\\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"));
    largest[0] = Math.max(largest[0], kb);
  };
  setInterval(look, 300);
  parentPort.on("message", () => { look(); parentPort.postMessage("looked"); });`,
  { eval: true, workerData: largest },
);

async function print(measured: Pick<BaseMeasurement, "loadMs" | "losses">, steps: readonly Step[]): Promise<void> {
  watch.postMessage("look");
  await new Promise((resolve) => watch.once("message", resolve));
  const median = (list: readonly number[]): number | null =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? null;
  const measurement: BaseMeasurement = {
    ...measured,
    stepMs: median(steps.map(({ ms }) => ms)),
    processorMs: median(steps.map(({ processorMs }) => processorMs)),
    peakMb: process.resourceUsage().maxRSS / 1000,
    peakPssMb: largest[0]! / 1000,
  };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
  await watch.terminate();
}

interface Step {
  readonly ms: number;
  readonly processorMs: number;
}

const began = performance.now();
const files = readModelFiles(modelDirectory);
if (values.steps === "0") {
  void inBaseForm(loadBaseModel(files), files, base).externalData;
  await print({ loadMs: performance.now() - began, losses: [] }, []);
} else {
  const stream = createPrng(5);
  const { vocab_size: vocabulary } = files.config as { readonly vocab_size: number };
  const texts: Example[] = Array.from({ length: examples }, () => ({
    tokens: Array.from({ length: tokens }, () => stream.below(vocabulary)),
    promptLength: 1,
  }));
  const trainer = await createTrainer(
    { runtime: createOnnxRuntime(), files },
    {
      modelDirectory,
      adapter: { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" },
      training: {
        ...{ optimizer: "adamw" as const, learningRate: 1e-4, weightDecay: 0, gradientClip: 1 },
        ...{ batchSize: examples, maxTokens: tokens },
      },
      networkSeed: 1,
      peerSeed: 1,
      data: { train: texts, validation: texts, test: texts },
      engine: { threads: Number(values.threads), base, lowMemory: values["low-memory"] },
      activationBytesMax: 0,
    },
  );
  const loadMs = performance.now() - began;
  const losses: number[] = [];
  const steps: Step[] = [];
  for (let i = -Number(values.warmup); i < Number(values.steps); i++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    losses.push(...(await trainer.train({ steps: 1 })).losses);
    const { user, system } = process.cpuUsage(before);
    if (i >= 0) steps.push({ ms: performance.now() - start, processorMs: (user + system) / 1000 });
  }
  await print({ loadMs, losses }, steps);
  await trainer.close();
}
