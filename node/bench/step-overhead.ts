/**
 * `npm run bench:overhead [-- --steps N] [--small] [--json]`: the share of a local step that is spent outside the runtime
 * (batch, inputs, clipping, optimiser, retraction), at SmolLM2-135M's shape with random weights, and with the small
 * embedded model, where it weighs most. --small leaves the large model out.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { dropoutFeeds } from "../adapter/dropout.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { createBatches, planShape } from "../data/batch.ts";
import type { Example } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { modelFeeds, weightFeeds } from "../training/feeds.ts";
import { clipGradient, optimizerStep, zeroMoments } from "../training/optimizer.ts";
import { createTrainer } from "../training/trainer.ts";
import { randomModelDirectory, SMOLLM2_135M } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    small: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const BATCH = 4;
const TOKENS = 128;
const WARM_UP = 2;
/** Runs of each part by itself; the median is taken. */
const PART_RUNS = 21;

const LORA = { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" } as const;
const ADAPTERS: Readonly<Record<string, AdapterSettings>> = {
  lora: LORA,
  "lora, dropout 0.1": { ...LORA, dropout: 0.1 },
  loreft: { kind: "loreft", rank: 4, layers: "all", positions: { first: 7, last: 7, tied: false } },
};

interface Overhead {
  readonly model: string;
  readonly adapter: string;
  readonly parameters: number;
  /** Medians of whole steps, and of what is left of each when the runtime's own time is taken off. */
  readonly stepMs: number;
  readonly outsideMs: number;
  readonly share: number;
  /** Parts by themselves, in milliseconds. */
  readonly partsMs: Readonly<Record<string, number>>;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

function examplesOf(model: BaseModel): Example[] {
  const stream = createPrng(5);
  return Array.from({ length: BATCH }, () => ({
    tokens: Array.from({ length: TOKENS }, () => stream.below(model.shape.vocabulary)),
    promptLength: TOKENS / 4,
  }));
}

async function measure(name: string, modelDirectory: string, [adapterName, adapter]: [string, AdapterSettings]) {
  const files = readModelFiles(modelDirectory);
  const model = loadBaseModel(files);
  const examples = examplesOf(model);
  let insideMs = 0;
  const runtime = createOnnxRuntime({ onRun: (milliseconds) => (insideMs += milliseconds) });
  const training = {
    optimizer: "adamw" as const,
    learningRate: 1e-4,
    weightDecay: 0,
    gradientClip: 1,
    batchSize: BATCH,
    maxTokens: TOKENS,
  };
  const trainer = await createTrainer(
    { runtime, files },
    {
      modelDirectory,
      adapter,
      training,
      networkSeed: 1,
      peerSeed: 1,
      data: { train: examples, validation: examples, test: examples },
      engine: { threads: Number(values.threads) },
    },
  );
  await trainer.train({ steps: WARM_UP });
  const [steps, outside]: [number[], number[]] = [[], []];
  for (let i = 0; i < Number(values.steps); i++) {
    insideMs = 0;
    const began = performance.now();
    await trainer.train({ steps: 1 });
    const whole = performance.now() - began;
    steps.push(whole);
    outside.push(whole - insideMs);
  }
  await trainer.close();
  const slots = adapterSlots(adapterMethod(adapter).tensors(adapter, model.shape));
  const [stepMs, outsideMs] = [median(steps), median(outside)];
  const overhead: Overhead = {
    model: name,
    adapter: adapterName,
    parameters: parameterCount(slots),
    stepMs,
    outsideMs,
    share: outsideMs / stepMs,
    partsMs: partsOf(model, adapter, examples),
  };
  return overhead;
}

/** The work of a step outside of the runtime, each part by itself. */
function partsOf(model: BaseModel, adapter: AdapterSettings, examples: readonly Example[]): Record<string, number> {
  const method = adapterMethod(adapter);
  const slots = adapterSlots(method.tensors(adapter, model.shape));
  const theta = method.start(adapter, model.shape, 1);
  const gradient = theta.map((_, i) => 1e-3 * Math.sin(i));
  const moments = zeroMoments(theta.length);
  const batches = createBatches(examples, { shape: planShape(examples, { batchSize: BATCH }), seed: 1 });
  const feeding = { counts: method.positions(adapter), classifies: false as const };
  const sites = method.dropout(adapter, model.shape);
  const stream = createPrng(1);
  let step = 0;
  const parts: Record<string, () => void> = {
    batch: () => {
      const batch = batches.batchAt(step++);
      modelFeeds(batch, feeding);
      weightFeeds(batch, batch.labelCount);
    },
    dropout: () => void dropoutFeeds(sites, BATCH * TOKENS, stream),
    clip: () => void clipGradient(gradient, 1),
    optimizer: () =>
      optimizerStep(theta, gradient, moments, { optimizer: "adamw", learningRate: 1e-5, weightDecay: 0 }),
    retraction: () => method.retract(slots, theta),
  };
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => {
      const times = Array.from({ length: PART_RUNS }, () => {
        const began = performance.now();
        part();
        return performance.now() - began;
      });
      return [name, median(times)];
    }),
  );
}

function line({ model, adapter, parameters, stepMs, outsideMs, share, partsMs }: Overhead): string {
  const parts = Object.values(partsMs).map((milliseconds) => milliseconds.toFixed(2));
  return `| ${model} | ${adapter} | ${parameters} | ${stepMs.toFixed(1)} | ${outsideMs.toFixed(2)} | ${(100 * share).toFixed(2)} % | ${parts.join(" | ")} |`;
}

const models: [string, () => string][] = [["embedded", embeddedModelDirectory]];
if (!values.small) {
  models.push(["smollm2-135m", () => randomModelDirectory(join(tmpdir(), "weft-bench"), "smollm2-135m", SMOLLM2_135M)]);
}
const results: Overhead[] = [];
for (const [name, directory] of models) {
  for (const adapter of Object.entries(ADAPTERS)) results.push(await measure(name, directory(), adapter));
}
if (values.json) {
  process.stdout.write(`${JSON.stringify({ batch: BATCH, tokens: TOKENS, results }, null, 2)}\n`);
} else {
  process.stdout.write(
    [
      `one step of ${BATCH} x ${TOKENS} tokens on ${values.threads} threads, milliseconds (medians)`,
      "| model | adapter | parameters | step | outside the runtime | share | batch | dropout | clip | optimizer | retraction |",
      "|---|---|---|---|---|---|---|---|---|---|---|",
      ...results.map(line),
      "",
    ].join("\n"),
  );
}
