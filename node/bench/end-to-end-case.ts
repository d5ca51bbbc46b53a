/**
 * One case of `npm run bench:end-to-end` in a process of its own: what `weft train` does, in its order, naming each part on
 * standard error when it is done. Prints one line of JSON.
 */
import { parseArgs } from "node:util";
import { BASE_FORMS } from "../../protocol/settings/base-forms.ts";
import { writeAdapterDirectory } from "../interchange/adapter-directory.ts";
import { type EngineOptions, PRECISIONS } from "../interface/engine-options.ts";
import { loadExamples } from "../local/data-source.ts";
import { trainingMemory } from "../local/fit.ts";
import { trainLocally } from "../local/local-training.ts";
import { openModel } from "../local/stored-adapter.ts";
import { writeFolder } from "../system/files/adapter-files.ts";
import { BENCH_ADAPTER } from "./base-case.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    test: { type: "string" },
    out: { type: "string" },
    base: { type: "string", default: "f32" },
    precision: { type: "string", default: "fp32" },
    "low-memory": { type: "boolean", default: false },
    steps: { type: "string", default: "10" },
    examples: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
    threads: { type: "string", default: "2" },
  },
});
const done = (part: string): void => void process.stderr.write(`${part}\n`);
const [modelDirectory, batchSize, maxTokens] = [values.model!, Number(values.examples), Number(values.tokens)];
const engine: EngineOptions = {
  threads: Number(values.threads),
  base: BASE_FORMS.find((form) => form === values.base) ?? "f32",
  precision: PRECISIONS.find((one) => one === values.precision) ?? "fp32",
  lowMemory: values["low-memory"],
};
done("start");
const opened = openModel(modelDirectory);
done("load");
const { sets } = await loadExamples({
  ...{ file: values.data!, modelDirectory, maxTokens, batchSize, seed: 1 },
  ...(values.test !== undefined && { test: values.test }),
});
done("tokenise");
const training = {
  ...{ optimizer: "adamw" as const, learningRate: 1e-4, weightDecay: 0, gradientClip: 1 },
  ...{ batchSize, maxTokens },
};
trainingMemory({ modelDirectory, adapter: BENCH_ADAPTER, training, data: sets, engine });
done("estimate");
const steps = Number(values.steps);
const result = await trainLocally({
  ...{ opened, modelDirectory, adapter: BENCH_ADAPTER, training, data: sets, engine, steps },
  ...{ seed: 1, dataSeed: 1, signal: new AbortController().signal },
  onEvaluated: (when) => done(`evaluate ${when}`),
  onStep: (step) => {
    if (step === steps) done("train");
  },
});
await writeFolder(values.out!, writeAdapterDirectory(result.adapter));
done("save");
process.stdout.write(`${JSON.stringify({ before: result.before.loss, after: result.after?.loss })}\n`);
