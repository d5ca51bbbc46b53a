/**
 * `npm run bench:base-loss [-- --model FOLDER --data FILE --base FORM --seed N --steps N --json]`: the held-out loss that a
 * fine-tuning ends with on each form of the frozen base, at the recipe that `weft train` takes by itself, and how far it is
 * from the loss on f32. Without `--model` it takes the embedded model on its tasks and, where ../shared/assets is there,
 * tinystories-656k on plays that it has never seen. Losses repeat bit for bit on one machine.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BASE_FORMS } from "../../protocol/settings/base-forms.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    base: { type: "string", multiple: true, default: [...BASE_FORMS] },
    seed: { type: "string", multiple: true, default: ["0"] },
    steps: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** One training, and what it ended with. */
interface BaseLoss {
  readonly name: string;
  readonly seed: string;
  readonly base: string;
  /** Held-out loss in nats a token. */
  readonly before: number;
  readonly after: number;
  /** after / that of f32 - 1; null where f32 was left out. */
  readonly off: number | null;
}

/** What is trained: the flags of a model and its data. */
interface Case {
  readonly name: string;
  readonly flags: readonly string[];
}

const ROOT = join(import.meta.dirname, "../..");
const ASSETS = join(ROOT, "../shared/assets");

function cases(): readonly Case[] {
  if (values.model !== undefined) {
    const data = values.data === undefined ? [] : ["--data", values.data];
    return [{ name: values.model, flags: ["--model", values.model, ...data] }];
  }
  const embedded = { name: "embedded model, its tasks", flags: [] };
  const model = join(ASSETS, "models/tinystories-656k");
  if (!existsSync(model)) return [embedded];
  const data = join(ASSETS, "data/tinyshakespeare/input.txt");
  return [embedded, { name: "tinystories-656k, plays", flags: ["--model", model, "--data", data] }];
}

function train(flags: readonly string[], base: string, seed: string): { before: number; after: number } {
  const out = mkdtempSync(join(tmpdir(), "weft-base-loss-"));
  try {
    const steps = values.steps === undefined ? [] : ["--steps", values.steps];
    const words = [
      "train",
      ...flags,
      "--base",
      base,
      "--seed",
      seed,
      ...steps,
      "--json",
      "--out",
      join(out, "adapter"),
    ];
    const command = [join(ROOT, "cli/weft.js"), ...words];
    const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: "utf8" });
    if (status !== 0) throw new Error(`weft ${words.join(" ")}: ${stderr}`);
    const { before, after } = JSON.parse(stdout) as Record<"before" | "after", { readonly loss: number }>;
    return { before: before.loss, after: after.loss };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const measured: BaseLoss[] = [];
for (const { name, flags } of cases()) {
  for (const seed of values.seed) {
    let wide: number | undefined;
    for (const base of values.base) {
      const { before, after } = train(flags, base, seed);
      if (base === "f32") wide = after;
      measured.push({ name, seed, base, before, after, off: wide === undefined ? null : after / wide - 1 });
      if (!values.json) process.stderr.write(`${name}, seed ${seed}, ${base}: ${after}\n`);
    }
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`);
else {
  const percent = (off: number | null): string => (off === null ? "–" : `${(100 * off).toFixed(2)} %`);
  const lines = measured.map(
    ({ name, seed, base, before, after, off }) =>
      `| ${name} | ${seed} | ${base} | ${before.toFixed(4)} | ${after.toFixed(4)} | ${percent(off)} |`,
  );
  const head = "| model and data | seed | base | loss before | loss after | off f32's |";
  process.stdout.write(`${[head, "|---|---|---|---|---|---|", ...lines].join("\n")}\n`);
}
