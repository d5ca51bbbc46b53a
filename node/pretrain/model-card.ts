/** The figures of the embedded base model, kind of task by kind of task, and the page that shows them. */

import { TASK_KINDS, taskSamples } from "../data/embedded/default-tasks.ts";
import { encodeRecords } from "../data/example.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Evaluation, Example } from "../interface/trainer.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { createTrainer } from "../training/trainer.ts";
import type { PretrainSettings } from "./pretrain.ts";

/** Tasks of each kind the figures are taken on. */
const SAMPLES = 200;
/** Another seed than any that training draws from. */
const SAMPLE_SEED = 20_261;

/** How well the base model does one kind of task. */
export interface KindFigures {
  readonly kind: string;
  readonly group: "base" | "tuned";
  readonly evaluation: Evaluation;
}

/** How well the model, without any adapter, does the tasks of every kind. */
export async function measureKinds(runtime: Runtime, files: ModelFiles): Promise<readonly KindFigures[]> {
  const tokenizer = tokenizerOfFiles(files);
  const groups = (["base", "tuned"] as const).flatMap((group) =>
    taskSamples({ seed: SAMPLE_SEED, group, count: SAMPLES }).map((record) => ({ ...record, group })),
  );
  const figures: KindFigures[] = [];
  for (const { name, group } of TASK_KINDS) {
    const records = groups
      .filter((record) => record.kind === name)
      .map(({ prompt, response }) => ({ prompt, response, fields: {}, overflow: "cut" as const }));
    const { examples } = encodeRecords(records, { tokenizer, maxTokens: 256 });
    figures.push({ kind: name, group, evaluation: await evaluateBase(runtime, files, examples) });
  }
  return figures;
}

async function evaluateBase(runtime: Runtime, files: ModelFiles, examples: readonly Example[]): Promise<Evaluation> {
  const trainer = await createTrainer(
    { runtime, files },
    {
      modelDirectory: files.directory,
      adapter: { kind: "loreft", rank: 1, layers: [0], positions: { first: 0, last: 1, tied: true } },
      training: {
        optimizer: "adamw",
        learningRate: 1e-3,
        weightDecay: 0,
        gradientClip: 1,
        batchSize: 1,
        maxTokens: 256,
      },
      networkSeed: 0,
      peerSeed: 0,
      engine: { threads: 2 },
      data: { train: examples.slice(0, 1), validation: examples.slice(0, 1), test: examples },
    },
  );
  try {
    return await trainer.evaluate({ set: "test", adapter: "base" });
  } finally {
    await trainer.close();
  }
}

/** Everything that the card shows. */
export interface ModelCardOptions {
  readonly figures: readonly KindFigures[];
  readonly settings: PretrainSettings;
  readonly seed: number;
  readonly parameters: number;
  readonly finalLoss: number;
}

/** The page that lies beside the weights, in Markdown. */
export function modelCard({ figures, settings, seed, parameters, finalLoss }: ModelCardOptions): string {
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  const rows = figures.map(
    ({ kind, group, evaluation }) =>
      `| ${kind} | ${group === "base" ? "yes" : "no"} | ${evaluation.loss.toFixed(3)} | ${percent(evaluation.accuracy)} | ${percent(evaluation.exactMatch)} |`,
  );
  return `# The embedded base model

A Llama-layout language model of ${parameters.toLocaleString("en")} parameters, made by weft's own training engine so that
\`npm start\` has something to fine-tune on a machine that can download nothing. It knows a closed vocabulary of simple
English, short stories, and small tasks of several kinds. It is of no use for anything else.

* Made by \`npm run pretrain\` from seed ${seed}: ${settings.steps} steps of ${settings.windows} windows of ${settings.tokens} tokens, AdamW, learning rate
  ${settings.learningRate} (cosine to a tenth), weight decay ${settings.weightDecay}. Mean loss of the last 100 steps: ${finalLoss.toFixed(4)}.
* All text is written by the generator in \`node/data/embedded/\`; no text of others went into it.
* Files: \`config.json\`, \`model.safetensors\` (F32), \`tokenizer.json\` (byte-level BPE learned from the same text). Licence: that of weft.

## What it can do, and what fine-tuning is for

${SAMPLES} tasks of each kind that it was never trained on word for word. Loss in nats per token of the answer; accuracy
per token with the right answer so far given; exact match of the whole answer. The kinds it never met in pre-training
are those that peers fine-tune on by default.

| kind | in pre-training | loss | token accuracy | exact match |
|---|---|---|---|---|
${rows.join("\n")}
`;
}
