/** `weft audit inversion`: what can be read out of one's own update, for every kind of adapter. */
import { availableParallelism } from "node:os";
import { type AttackResult, auditInversion } from "../../../node/audit/inversion.ts";
import { loadExamples } from "../../../node/local/data-source.ts";
import { createOnnxRuntime } from "../../../node/system/compute/onnxruntime.ts";
import { readModelFiles } from "../../../node/system/files/model-files.ts";
import { createSecureRandom } from "../../../node/system/platform/secure-random.ts";
import type { AdapterSettings } from "../../../protocol/adapter-spec.ts";
import { formatShare, textTable } from "../../../testnet/text-table.ts";
import { formatAdapter, parseAdapter } from "../../adapter-argument.ts";
import { AUDIT_DEFAULTS, AUDITED } from "../../audit-defaults.ts";
import { type DataFlags, dataOptions } from "../../data-options.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS } from "../../network-options.ts";
import { PRIVACY_DEFAULTS } from "../../privacy-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export type AuditOptions = DataFlags & {
  readonly model?: string;
  readonly adapter?: readonly AdapterSettings[];
  readonly texts?: number;
  readonly maxTokens?: number;
  readonly steps?: number;
  readonly attackSteps?: number;
  readonly attempts?: number;
  readonly dpClip?: number;
  readonly dpNoise?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly json?: boolean;
};

export async function run(options: AuditOptions, terminal: Terminal): Promise<number> {
  const directory = modelDirectory(options.model);
  const { training, seed } = NETWORK_DEFAULTS;
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
    "prior: the commonest tokens of the training data, without any update; span: tokens whose inputs lie in the space of the",
    "gradient's rows; matching: the text whose own gradient is nearest, searched from what span found",
  ];
}
