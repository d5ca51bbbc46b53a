/**
 * `npm run bench:precision [-- --model DIR] [--adapter NAME] [--learning-rate X] [--steps N] [--seeds N] [--json]`: the
 * worth of products in integers. A small model is fine-tuned on the embedded tasks with f32 and with integer products,
 * for several batch orders, and both adapters are evaluated in f32. One seed says little: two runs of f32 with other
 * batch orders differ by more than f32 and integers do in the mean. Before it, the gradients of each order's first batch, off the start, in both
 * arithmetics; behind it, the losses of one adapter and of mixes with its start in both.
 */
import { parseArgs } from "node:util";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { Precision } from "../interface/engine-options.ts";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "../training/trainer.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    adapter: { type: "string", default: "lora" },
    "learning-rate": { type: "string", default: "5e-4" },
    steps: { type: "string", default: "200" },
    seeds: { type: "string", default: "4" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
  },
});
const ADAPTERS: Readonly<Record<string, AdapterSettings>> = {
  lora: { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" },
  loreft: { kind: "loreft", rank: 4, layers: "all", positions: { first: 7, last: 7, tied: false } },
};
const adapter = ADAPTERS[values.adapter];
if (!adapter) throw new Error(`--adapter is one of ${Object.keys(ADAPTERS).join(", ")}`);
const modelDirectory = values.model ?? embeddedModelDirectory();
const [BATCH, TOKENS] = [8, 64];
const { sets } = await loadExamples({ modelDirectory, maxTokens: TOKENS, batchSize: BATCH, seed: 4 });

const SIZES = { weightDecay: 0, batchSize: BATCH, maxTokens: TOKENS };
const ADAMW = { ...SIZES, optimizer: "adamw", learningRate: Number(values["learning-rate"]), gradientClip: 1 } as const;
/** Its change is the gradient. */
const ONE_STEP = { ...SIZES, optimizer: "sgd", learningRate: 1, gradientClip: 1e9 } as const;

const open = (precision: Precision, peerSeed: number, training: typeof ADAMW | typeof ONE_STEP = ADAMW) =>
  createTrainer(
    { runtime: createOnnxRuntime(), files: readModelFiles(modelDirectory) },
    {
      modelDirectory,
      adapter: adapter!,
      training,
      networkSeed: 1,
      peerSeed,
      engine: { threads: Number(values.threads), precision },
      data: sets,
    },
  );

/** Of an adapter that was trained in a precision, evaluated in f32. */
async function losses(precision: Precision, peerSeed: number) {
  const trainer = await open(precision, peerSeed);
  await trainer.train({ steps: Number(values.steps) });
  const trained = await trainer.adapter();
  await trainer.close();
  const judge = await open("fp32", peerSeed);
  const of = async (set: keyof typeof sets): Promise<number> => (await judge.evaluate({ set, adapter: trained })).loss;
  const result = { train: await of("train"), validation: await of("validation"), test: await of("test") };
  await judge.close();
  return result;
}

/** The gradient of an order's first batch, off the start, where half of LoRA's gradient is 0. */
async function gradientOf(precision: Precision, peerSeed: number): Promise<Float32Array> {
  const trainer = await open(precision, peerSeed, ONE_STEP);
  const state = await trainer.state();
  // Rotations stay as they are.
  const off = adapter!.kind === "lora" ? 0.02 : 0;
  const from = state.adapter.map((x, i) => x + off * Math.sin(7 * i));
  await trainer.restore({ ...state, adapter: from });
  await trainer.train({ steps: 1 });
  const to = (await trainer.state()).adapter;
  await trainer.close();
  return to.map((x, i) => x - from[i]!);
}

/** How far the gradient in integers is from that in f32, of that one's length, and the cosine between them. */
async function gradientsApart(peerSeed: number) {
  const [found, exact] = [await gradientOf("int8", peerSeed), await gradientOf("fp32", peerSeed)];
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const difference = found.map((x, i) => x - exact[i]!);
  const off = Math.sqrt(dot(difference, difference) / dot(exact, exact));
  return { off, cosine: dot(found, exact) / Math.sqrt(dot(found, found) * dot(exact, exact)) };
}

/** The largest share by which losses in integers differ from those in f32: of a trained adapter, its start, and mixes of both. */
async function lossesApart(): Promise<number> {
  const [exact, integers] = [await open("fp32", 1), await open("int8", 1)];
  const start = await exact.start();
  await exact.train({ steps: Number(values.steps) });
  const trained = await exact.adapter();
  let most = 0;
  for (const lambda of [0, 0.25, 0.5, 0.75, 1]) {
    const mix = start.map((x, i) => x + lambda * (trained[i]! - x));
    for (const set of SETS) {
      const [a, b] = [await exact.evaluate({ set, adapter: mix }), await integers.evaluate({ set, adapter: mix })];
      most = Math.max(most, Math.abs(b.loss / a.loss - 1));
    }
  }
  await Promise.all([exact.close(), integers.close()]);
  return most;
}

const SETS = ["train", "validation", "test"] as const;
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const COMPARED = ["fp32", "int8"] as const;
type Compared = (typeof COMPARED)[number];
const gradients: Awaited<ReturnType<typeof gradientsApart>>[] = [];
for (const seed of seeds) gradients.push(await gradientsApart(seed));
const middle = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
const gradient = {
  off: middle(gradients.map(({ off }) => off)),
  cosine: middle(gradients.map(({ cosine }) => cosine)),
};
const runs: Record<Compared, Awaited<ReturnType<typeof losses>>[]> = { fp32: [], int8: [] };
for (const seed of seeds) for (const precision of COMPARED) runs[precision].push(await losses(precision, seed));
const rows = SETS.map((set) => {
  const mean = (precision: Compared): number =>
    runs[precision].reduce((sum, run) => sum + run[set], 0) / runs[precision].length;
  const own = runs.fp32.map((run) => run[set]);
  const [fp32, int8] = [mean("fp32"), mean("int8")];
  return { set, fp32, int8, change: int8 / fp32 - 1, spread: Math.max(...own) / Math.min(...own) - 1 };
});
const apart = await lossesApart();
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ adapter: values.adapter, steps: values.steps, gradient, apart, runs, rows }, null, 2)}\n`
    : [
        "| losses on | fp32 | int8 | change | fp32 from seed to seed |",
        "|---|---|---|---|---|",
        ...rows.map(
          ({ set, fp32, int8, change, spread }) =>
            `| ${set} | ${fp32.toFixed(4)} | ${int8.toFixed(4)} | ${percent(change)} | ${percent(spread)} |`,
        ),
        "",
        `gradient of a batch in integers, median of the orders: off by ${percent(gradient.off)}, cosine ${gradient.cosine.toFixed(5)}`,
        `losses of an adapter, its start and mixes of both in integers: off by ${percent(apart)} at most`,
        "",
      ].join("\n"),
);
