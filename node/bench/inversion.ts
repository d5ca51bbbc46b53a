/**
 * `npm run bench:inversion [-- --texts 2] [--attempts 1] [--attack-steps 24] [--seed 1] [--page docs/PRIVACY.md]`: what one update
 * gives away, for every kind of adapter on two base models, without noise and with it. It writes the table of docs/PRIVACY.md; one
 * line of JSON for each kind goes to standard output and to --log, and a line that stands there is not computed again.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { type AttackName, type AttackResult, auditInversion, type InversionOptions } from "../audit/inversion.ts";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { writeFileAtomic } from "../system/files/atomic-file.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { INVERSION_ADAPTERS } from "./inversion-adapters.ts";

const root = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    texts: { type: "string", default: "2" },
    attempts: { type: "string", default: "1" },
    "attack-steps": { type: "string", default: "24" },
    seed: { type: "string", default: "1" },
    adapters: { type: "string", default: "" },
    log: { type: "string", default: join(root, "docs/evaluation/inversion.jsonl") },
    bases: { type: "string", default: "embedded,tinystories-656k" },
    page: { type: "string", default: join(root, "docs/PRIVACY.md") },
    assets: { type: "string", default: resolve(root, "../shared/assets") },
  },
});

/** Marks between which the page's table stands. */
const [BEGIN, END] = ["<!-- bench:inversion begins -->", "<!-- bench:inversion ends -->"];
const TOKENS_MAX = 10;
const PRIVACY = { clip: 1, noise: 1 } as const;
const seed = Number(values.seed);

/** A base model, and where its texts come from; the embedded tasks where no file is named. */
const BASES: Readonly<Record<string, { readonly directory: string; readonly file?: string; readonly what: string }>> = {
  embedded: { directory: embeddedModelDirectory(), what: "its own tasks, questions with answers" },
  "tinystories-656k": {
    directory: join(values.assets, "models/tinystories-656k"),
    file: join(values.assets, "data/tinyshakespeare/input.txt"),
    what: "speeches of Shakespeare's plays, the first tokens of each",
  },
};

type Figures = Partial<Record<AttackName, Pick<AttackResult, "f1" | "inPlace" | "sent">>>;

interface Line {
  readonly base: string;
  readonly adapter: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly clear: Figures;
  readonly noisy: Figures;
  /** Of the processor; absent in lines of which it was not kept. */
  readonly seconds?: number;
}

const { texts, attempts, "attack-steps": attackSteps, seed: seedText } = values;
const settings = { texts, attempts, attackSteps, seed: seedText };
const known = logged();
const lines: Line[] = [];
const words = values.adapters === "" ? Object.keys(INVERSION_ADAPTERS) : values.adapters.split(";");
for (const adapter of words) {
  for (const base of values.bases.split(",")) {
    const isSame = (one: Line): boolean =>
      one.base === base && one.adapter === adapter && isDeepStrictEqual(one.settings, settings);
    const there = known.find(isSame);
    if (there === undefined) {
      const line = await lineOf(base, adapter);
      process.stdout.write(`${JSON.stringify(line)}\n`);
      appendFileSync(values.log, `${JSON.stringify(line)}\n`);
      lines.push(line);
    } else lines.push(there);
    // After each line, so that what is there stays when the run is stopped.
    await writePage();
  }
}

function logged(): readonly Line[] {
  if (!existsSync(values.log)) return [];
  const rows = readFileSync(values.log, "utf8").split("\n");
  return rows.filter((row) => row !== "").map((row) => JSON.parse(row) as Line);
}

/** The audit of one kind on one base model, without noise and with it; under noise no text is searched for. */
async function lineOf(base: string, adapter: string): Promise<Line> {
  const { directory, file } = BASES[base]!;
  const { sets } = await loadExamples({
    modelDirectory: directory,
    ...(file !== undefined && { file }),
    maxTokens: TOKENS_MAX,
    batchSize: 8,
    seed,
  });
  const audit = (effort: InversionOptions["effort"], privacy?: typeof PRIVACY): Promise<readonly AttackResult[]> =>
    auditInversion(
      { runtime: createOnnxRuntime(), files: readModelFiles(directory), random: createSecureRandom() },
      {
        modelDirectory: directory,
        data: sets,
        adapters: { [adapter]: INVERSION_ADAPTERS[adapter]! },
        training: {
          ...{ optimizer: "adamw", learningRate: 2e-3, weightDecay: 0, gradientClip: 1, batchSize: 8 },
          maxTokens: TOKENS_MAX,
        },
        texts: Number(values.texts),
        steps: 20,
        effort,
        ...(privacy && { privacy }),
        seed,
        threads: 1,
      },
    );
  const began = process.cpuUsage();
  const work = { steps: Number(attackSteps), attempts: Number(attempts), candidates: 6, passes: 4 };
  const clear = figuresOf(await audit({ ...work, descents: ["adam", "l-bfgs"] }));
  const noisy = figuresOf(await audit({ steps: 0, attempts: 0 }, PRIVACY));
  const { user, system } = process.cpuUsage(began);
  return { base, adapter, settings, clear, noisy, seconds: (user + system) / 1e6 };
}

async function writePage(): Promise<void> {
  const page = readFileSync(values.page, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${values.page} lacks the marks ${BEGIN} and ${END}`);
  const text = `${before}${BEGIN}\n${tableOf(lines)}\n${END}${after}`;
  await writeFileAtomic(values.page, new TextEncoder().encode(text));
}

function figuresOf(results: readonly AttackResult[]): Figures {
  return Object.fromEntries(results.map(({ attack, f1, inPlace, sent }) => [attack, { f1, inPlace, sent }]));
}

function tableOf(all: readonly Line[]): string {
  const percent = (share: number | undefined): string => (share === undefined ? "–" : `${(100 * share).toFixed(0)} %`);
  const cell = (figures: Figures, attack: AttackName): string => {
    const one = figures[attack];
    return one ? `${percent(one.f1)}, ${percent(one.inPlace)}` : "–";
  };
  const timed = all.flatMap(({ seconds }) => seconds ?? []);
  const each = timed.reduce((sum, seconds) => sum + seconds, 0) / Math.max(1, timed.length);
  const rows = all.map(({ base, adapter, clear, noisy }) => [
    base,
    `\`${adapter}\``,
    String(clear.prior?.sent),
    ...(["prior", "span", "matching", "matching by L-BFGS"] as const).map((attack) => cell(clear, attack)),
    cell(noisy, "span"),
  ]);
  const header = [
    ...["base model", "adapter", "values", "prior", "span", "matching by Adam", "matching by L-BFGS"],
    "span with `--dp`",
  ];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, i) => (i < 2 ? "---" : "---:"));
  const bases = values.bases.split(",").map((base) => `${base}: ${BASES[base]!.what}`);
  return [
    `Written by \`npm run bench:inversion\`: ${values.texts} texts of at most ${TOKENS_MAX} tokens for each line (${bases.join("; ")}), seed ${seed}, 20`,
    `local steps before, ${values.attempts} attempts of ${values["attack-steps"]} steps; noise with clip ${PRIVACY.clip} and multiple ${PRIVACY.noise}; some ${Math.round(each)} s of the processor a line. Each cell: F1 of the`,
    "tokens, and the share of positions whose token is right.",
    "",
    line(header),
    line(rule),
    ...rows.map(line),
  ].join("\n");
}
