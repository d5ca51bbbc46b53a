/**
 * `npm run bench:precision [-- --model DIR] [--adapter NAME] [--learning-rate X] [--steps N] [--seeds N] [--json]`: the
 * worth of products in integers. A small model is fine-tuned on the embedded tasks with f32 and with integer products,
 * for several batch orders, and both adapters are evaluated in f32. One seed says little: two runs of f32 with other
 * batch orders differ by more than f32 and integers do in the mean.
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

const open = (precision: Precision, peerSeed: number) =>
  createTrainer(
    { runtime: createOnnxRuntime(), files: readModelFiles(modelDirectory) },
    {
      modelDirectory,
      adapter: adapter!,
      training: {
        optimizer: "adamw",
        learningRate: Number(values["learning-rate"]),
        weightDecay: 0,
        gradientClip: 1,
        batchSize: BATCH,
        maxTokens: TOKENS,
      },
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

const SETS = ["train", "validation", "test"] as const;
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const COMPARED = ["fp32", "int8"] as const;
type Compared = (typeof COMPARED)[number];
const runs: Record<Compared, Awaited<ReturnType<typeof losses>>[]> = { fp32: [], int8: [] };
for (const seed of seeds) for (const precision of COMPARED) runs[precision].push(await losses(precision, seed));
const rows = SETS.map((set) => {
  const mean = (precision: Compared): number =>
    runs[precision].reduce((sum, run) => sum + run[set], 0) / runs[precision].length;
  const own = runs.fp32.map((run) => run[set]);
  const [fp32, int8] = [mean("fp32"), mean("int8")];
  return { set, fp32, int8, change: int8 / fp32 - 1, spread: Math.max(...own) / Math.min(...own) - 1 };
});
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ adapter: values.adapter, steps: values.steps, runs, rows }, null, 2)}\n`
    : [
        "| losses on | fp32 | int8 | change | fp32 from seed to seed |",
        "|---|---|---|---|---|",
        ...rows.map(
          ({ set, fp32, int8, change, spread }) =>
            `| ${set} | ${fp32.toFixed(4)} | ${int8.toFixed(4)} | ${percent(change)} | ${percent(spread)} |`,
        ),
        "",
      ].join("\n"),
);
