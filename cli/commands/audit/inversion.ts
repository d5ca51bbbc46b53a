/** `weft audit inversion`: what can be read out of one's own update, for every kind of adapter. */

import { availableParallelism } from "node:os";
import { type AttackResult, checkDoor, trainingDoor } from "../../../node/index.ts";
import type { AdapterSettings } from "../../../protocol/adapter-spec.ts";
import { formatShare, textTable } from "../../../testnet/words/text-table.ts";
import { ADAPTER_FORMS, formatAdapter, parseAdapter } from "../../adapter-argument.ts";
import type { CommandRow } from "../../command-row.ts";
import { DATA, type DataFlags, dataOptions, READING } from "../../data-options.ts";
import { engineFlags } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { PLAIN_DEFAULTS } from "../../network-options.ts";
import { integer, positive } from "../../option-value.ts";
import { PRIVACY_DEFAULTS } from "../../privacy-options.ts";
import { JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** One of each kind of what is sent: both factors, B only, C only, an edit of the residual stream. */
const AUDITED = [
  "lora:r8:q_proj,v_proj",
  "ffa-lora:r8:q_proj,v_proj",
  "tri-lora:r8:q_proj,v_proj",
  "loreft:r8:f7+l7",
] as const;

/** Short texts of a small model, minutes on two cores. */
const AUDIT_DEFAULTS = { texts: 3, maxTokens: 16, steps: 20, attackSteps: 60, attempts: 6 } as const;

/** The row of `weft audit inversion`, and what it runs. */
export const auditInversionCommand: CommandRow = {
  name: ["audit", "inversion"],
  text: "Attack your own updates: try to recover the tokens of a text from the gradient of one step on it.",
  options: [
    MODEL,
    DATA,
    ...READING,
    {
      flags: "--adapter <word>",
      text: `adapter to attack: ${ADAPTER_FORMS}; may be repeated`,
      parse: parseAdapter,
      repeatable: true,
      otherwise: AUDITED.join(", "),
    },
    {
      flags: "--texts <count>",
      text: "test examples to attack",
      parse: integer(1, 1000),
      otherwise: String(AUDIT_DEFAULTS.texts),
    },
    {
      flags: "--max-tokens <count>",
      text: "tokens of a text; longer ones are cut",
      parse: integer(4, 256),
      otherwise: String(AUDIT_DEFAULTS.maxTokens),
    },
    {
      flags: "--steps <count>",
      text: "local steps before the attack, which take the adapter away from its start",
      parse: integer(0, 100_000),
      otherwise: String(AUDIT_DEFAULTS.steps),
    },
    {
      flags: "--attack-steps <count>",
      text: "steps of descent in each attempt",
      parse: integer(0, 100_000),
      otherwise: String(AUDIT_DEFAULTS.attackSteps),
    },
    {
      flags: "--attempts <count>",
      text: "attempts to find a text by its gradient; with 0 the audit takes seconds",
      parse: integer(0, 1000),
      otherwise: String(AUDIT_DEFAULTS.attempts),
    },
    {
      flags: "--l-bfgs",
      text: "search by L-BFGS too, beside Adam; it takes as long again",
    },
    {
      flags: "--dp-clip <norm>",
      text: "clip the gradient and add noise, as --dp does",
      parse: positive,
      otherwise: "no noise",
    },
    {
      flags: "--dp-noise <multiple>",
      text: "standard deviation of that noise as a multiple of the norm",
      parse: positive,
      otherwise: "no noise",
    },
    {
      flags: "--seed <number>",
      text: "seed of the adapters and the attacks",
      parse: integer(0, 2 ** 32 - 1),
      otherwise: "0",
    },
    ...engineFlags({ only: ["threads"] }),
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft audit inversion --texts 3 --adapter tri-lora:r8:q_proj,v_proj",
  json: {
    results: "for each adapter and attack: adapter, values sent, attack, precision, recall, f1, inPlace",
  },
  run,
};

type AuditOptions = DataFlags & {
  readonly model?: string;
  readonly adapter?: readonly AdapterSettings[];
  readonly texts?: number;
  readonly maxTokens?: number;
  readonly steps?: number;
  readonly attackSteps?: number;
  readonly attempts?: number;
  readonly lBfgs?: boolean;
  readonly dpClip?: number;
  readonly dpNoise?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly json?: boolean;
};

async function run(options: AuditOptions, terminal: Terminal): Promise<number> {
  const { auditInversion, readModelFiles, createSecureRandom } = await checkDoor();
  const { loadExamples, createOnnxRuntime } = await trainingDoor();
  const directory = modelDirectory(options.model);
  const { training, seed } = PLAIN_DEFAULTS;
  const { sets, notes = [] } = await loadExamples({
    ...dataOptions(options),
    modelDirectory: directory,
    maxTokens: options.maxTokens ?? AUDIT_DEFAULTS.maxTokens,
    batchSize: training.batchSize,
    seed: options.seed ?? seed,
  });
  for (const note of notes) terminal.err(`data: ${note}\n`);
  const adapters = options.adapter ?? AUDITED.map(parseAdapter);
  const { dpClip, dpNoise } = options;
  const isNoised = dpClip !== undefined || dpNoise !== undefined;
  const results = await auditInversion(
    { runtime: createOnnxRuntime(), files: readModelFiles(directory), random: createSecureRandom() },
    {
      modelDirectory: directory,
      data: sets,
      adapters: Object.fromEntries(adapters.map((adapter) => [formatAdapter(adapter), adapter])),
      training,
      texts: options.texts ?? AUDIT_DEFAULTS.texts,
      steps: options.steps ?? AUDIT_DEFAULTS.steps,
      effort: {
        steps: options.attackSteps ?? AUDIT_DEFAULTS.attackSteps,
        attempts: options.attempts ?? AUDIT_DEFAULTS.attempts,
        ...(options.lBfgs && { descents: ["adam", "l-bfgs"] }),
      },
      ...(isNoised && {
        privacy: { clip: dpClip ?? PRIVACY_DEFAULTS.clip, noise: dpNoise ?? PRIVACY_DEFAULTS.noise },
      }),
      seed: options.seed ?? seed,
      threads: options.threads ?? availableParallelism(),
      onText: (adapter, text) => terminal.err(`attacking text ${text + 1} through ${adapter}\n`),
    },
  );
  terminal.out(options.json ? jsonText({ results }) : `${lines(results).join("\n")}\n`);
  return EXIT_OK;
}

function lines(results: readonly AttackResult[]): string[] {
  const columns = [
    { heading: "adapter", numeric: false },
    { heading: "values sent", numeric: true },
    { heading: "attack", numeric: false },
    { heading: "precision", numeric: true },
    { heading: "recall", numeric: true },
    { heading: "F1", numeric: true },
    { heading: "in place", numeric: true },
  ];
  const rows = results.map(({ adapter, sent, attack, precision, recall, f1, inPlace }) => [
    adapter,
    String(sent),
    attack,
    ...[precision, recall, f1, inPlace].map(formatShare),
  ]);
  return [
    "tokens of a single text, recovered from the gradient of one step on it:",
    "",
    ...textTable(columns, rows),
    "",
    "prior: the commonest tokens of the training data, without any update; span: tokens with inputs in the space of the",
    "gradient's rows; matching: the text with the nearest gradient, searched from the tokens that span found",
  ];
}
