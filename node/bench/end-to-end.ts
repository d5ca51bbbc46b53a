/**
 * `npm run bench:end-to-end [-- --against torch --python PATH --rounds N --json]`: a whole fine-tuning as a user runs it, at
 * SmolLM2-135M's shape with random weights in BF16: load, tokenise, evaluate, train, evaluate, save. weft with each option
 * that may make it faster or smaller, alternating with transformers and peft in f32 and bf16 where that is asked for; medians
 * over the rounds. Bases in other forms are made before, and that time is said apart. A cell in which weft loses is printed
 * like any other.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createPrng } from "../../protocol/prng.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { type MeasuredRun, measured } from "./process-memory.ts";
import { randomModelDirectory, SHAPES, shapeNamed } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "135m" },
    case: { type: "string", multiple: true },
    rounds: { type: "string", default: "2" },
    steps: { type: "string", default: "10" },
    examples: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
    against: { type: "string" },
    python: { type: "string", default: "python3" },
    json: { type: "boolean", default: false },
  },
});

/** Ways of weft, and what is said to it. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  "weft f32": [],
  "weft int8": ["--precision", "int8"],
  "weft low-memory": ["--low-memory"],
  "weft q8": ["--base", "q8"],
  "weft q4": ["--base", "q4"],
  "weft q4 low-memory": ["--base", "q4", "--low-memory"],
};
const TORCH = ["float32", "bfloat16"];
/** Held-out examples, evaluated before and after; and tokens of a row's width left to what marks its ends. */
const [HELD, SPARE] = [16, 4];
/** Parts of a run, in order; each ends when it is named. */
const PARTS = ["start", "load", "tokenise", "estimate", "evaluate before", "train", "evaluate after", "save"];

/** One run, in seconds and megabytes. */
interface Cell {
  readonly wall: number;
  readonly processor: number;
  readonly proportionalMb: number;
  readonly residentMb: number;
  readonly before: number;
  readonly after: number;
  /** Seconds of each part, in order. */
  readonly parts: Readonly<Record<string, number>>;
}

const folder = mkdtempSync(join(tmpdir(), "weft-bench-end-"));
const env = { ...process.env, WEFT_CACHE: join(folder, "cache"), GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };
const sizes = ["--steps", values.steps, "--examples", values.examples, "--tokens", values.tokens];
const cells = new Map<string, Cell[]>();
const first = new Map<string, number>();
const left: string[] = [];
try {
  await measureAll();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const load = `load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`;
const summary = Object.fromEntries([...cells].map(([name, list]) => [name, medianOf(list)]));
const document = { load, left, firstSeconds: Object.fromEntries(first), summary, runs: Object.fromEntries(cells) };
process.stdout.write(values.json ? `${JSON.stringify(document, null, 2)}\n` : table());

async function measureAll(): Promise<void> {
  const shape = shapeNamed(values.shape);
  const model = randomModelDirectory(folder, shape, SHAPES[shape], { dtype: "BF16" });
  copyFileSync(join(embeddedModelDirectory(), "tokenizer.json"), join(model, "tokenizer.json"));
  const [data, held] = [join(folder, "texts.jsonl"), join(folder, "held.jsonl")];
  const rows = texts(Number(values.tokens));
  writeFileSync(data, rows.slice(HELD).join(""));
  writeFileSync(held, rows.slice(0, HELD).join(""));
  const ways = Object.entries(WAYS).filter(([name]) => values.case === undefined || values.case.includes(name));
  const run = async (words: readonly string[], command: string): Promise<MeasuredRun> => {
    const out = mkdtempSync(join(folder, "out-"));
    return measured(command, [...words.map((word) => (word === "OUT" ? out : word)), ...sizes], { env });
  };
  const weft = (flags: readonly string[]): Promise<MeasuredRun> => {
    const script = join(import.meta.dirname, "end-to-end-case.ts");
    return run([script, "--model", model, "--data", data, "--test", held, "--out", "OUT", ...flags], process.execPath);
  };
  // The first run of a way makes its file of weights; it is not counted.
  for (const [name, flags] of ways) first.set(name, (await weft(flags)).seconds);
  const torch = values.against === "torch" && hasTorch() ? TORCH : [];
  const script = join(import.meta.dirname, "torch_end_to_end.py");
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, flags] of ways) keep(name, await weft(flags));
    for (const dtype of torch) {
      keep(`torch ${dtype}`, await run([script, model, data, held, "OUT", "--dtype", dtype], values.python));
    }
  }
}

function hasTorch(): boolean {
  const { status } = spawnSync(values.python, ["-c", "import torch, transformers, peft, tokenizers"]);
  if (status !== 0) left.push(`${values.python} has no torch, transformers and peft`);
  return status === 0;
}

/**
 * Rows of English-like words that nearly fill a batch's width, so that each is one example on both sides, and is cut on none:
 * the same tokens are trained on and evaluated.
 */
function texts(width: number): string[] {
  const words =
    "the a small river stone child old house runs sees likes finds under over with and then light door tree".split(" ");
  const stream = createPrng(11);
  const tokenizer = tokenizerOfFiles(readModelFiles(embeddedModelDirectory()));
  return Array.from({ length: 160 + HELD }, () => {
    const row: string[] = [];
    do row.push(words[stream.below(words.length)]!);
    while (tokenizer.encode(row.join(" ")).length <= width - SPARE);
    return `${JSON.stringify({ text: row.slice(0, -1).join(" ") })}\n`;
  });
}

/** Said at once: a run takes minutes, and one that is stopped has not measured in vain. */
function keep(name: string, { seconds, processorSeconds, peak, lines, stdout }: MeasuredRun): void {
  const { before, after } = JSON.parse(stdout.trim().split("\n").at(-1)!) as Pick<Cell, "before" | "after">;
  let last = 0;
  const parts: Record<string, number> = {};
  for (const { at, text } of lines) {
    if (!PARTS.includes(text)) continue;
    parts[text] = at - last;
    last = at;
  }
  const { proportionalMb, largestResidentMb: residentMb } = peak;
  const cell = { wall: seconds, processor: processorSeconds, proportionalMb, residentMb, before, after, parts };
  cells.set(name, [...(cells.get(name) ?? []), cell]);
  process.stderr.write(
    `${name}: ${seconds.toFixed(1)} s, ${processorSeconds.toFixed(1)} processor s, ${Math.round(proportionalMb)} MB\n`,
  );
}

function medianOf(list: readonly Cell[]): Cell {
  const middle = (of: (cell: Cell) => number): number =>
    list.map(of).toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
  return {
    wall: middle(({ wall }) => wall),
    processor: middle(({ processor }) => processor),
    proportionalMb: middle(({ proportionalMb }) => proportionalMb),
    residentMb: middle(({ residentMb }) => residentMb),
    before: middle(({ before }) => before),
    after: middle(({ after }) => after),
    parts: Object.fromEntries(PARTS.map((part) => [part, middle(({ parts }) => parts[part] ?? 0)])),
  };
}

function table(): string {
  const rival = summary["torch bfloat16"];
  const ratio = (own: number, other: number | undefined): string => (other ? ` (${(other / own).toFixed(2)}x)` : "");
  const lines = Object.entries(summary).map(([name, cell]) => {
    const { wall, processor, proportionalMb, parts } = cell;
    const memory = rival ? ` (${(proportionalMb / rival.proportionalMb).toFixed(2)}x)` : "";
    const times = [
      `${wall.toFixed(1)}${ratio(wall, rival?.wall)}`,
      `${processor.toFixed(1)}${ratio(processor, rival?.processor)}`,
    ];
    const row = [name, ...times, `${Math.round(proportionalMb)}${memory}`, cell.after.toFixed(4)];
    return `| ${[...row, ...PARTS.map((part) => parts[part]!.toFixed(1))].join(" | ")} |`;
  });
  const head = ["case", "wall s", "processor s", "peak proportional MB", "final loss", ...PARTS];
  const rule = head.map(() => "---").join("|");
  const notes = [
    load,
    rival ? "in brackets: times better than torch bfloat16 in speed, and the share of its memory" : "",
    `first run of a way, its files of weights made: ${[...first].map(([name, s]) => `${name} ${s.toFixed(0)} s`).join(", ")}`,
    ...left,
  ];
  return `${[`| ${head.join(" | ")} |`, `|${rule}|`, ...lines, "", ...notes.filter((note) => note !== "")].join("\n")}\n`;
}
