/**
 * `npm run bench:base [-- --shape NAME --layers N --base FORM --low-memory --stream-blocks --against torch …]`: steps and peak memory of
 * every form of the frozen base at the shapes of published models, with random weights that are made tensor by tensor and
 * taken away afterwards. Every case runs in a process of its own, the forms alternating; figures are medians over the rounds.
 * Memory is looked at from outside, and stands beside what `weft fit` foresees. With `--against torch` PyTorch takes the same
 * steps in the same run, where `--python` has torch, transformers and peft and its weights fit.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BASE_FORMS, type BaseForm } from "../../protocol/settings/base-forms.ts";
import { neededBy } from "../local/fit.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { machineMemory } from "../system/platform/memory.ts";
import { sizeOf } from "../tensor.ts";
import { type BaseMeasurement, BENCH_ADAPTER } from "./base-case.ts";
import { type MeasuredRun, type MemoryPeak, measured } from "./process-memory.ts";
import { randomModelDirectory, SHAPES, shapeNamed } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", multiple: true, default: ["135m"] },
    base: { type: "string", multiple: true, default: [...BASE_FORMS] },
    rounds: { type: "string", default: "2" },
    steps: { type: "string", default: "3" },
    warmup: { type: "string", default: "1" },
    examples: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
    /** So many of a shape's layers alone; all of them when absent. */
    layers: { type: "string" },
    "low-memory": { type: "boolean", default: false },
    "stream-blocks": { type: "boolean", default: false },
    evaluate: { type: "boolean", default: true },
    against: { type: "string" },
    python: { type: "string", default: "python3" },
    /** Where models and narrow bases are made and left for the next run; a folder that is removed when absent. */
    folder: { type: "string" },
    json: { type: "boolean", default: false },
  },
  allowNegative: true,
});

/** A case of one shape, and what it took. */
interface Row extends MemoryPeak {
  readonly shape: string;
  readonly name: string;
  readonly stepMs: number;
  readonly processorMs: number;
  readonly loadMs: number;
  /** By `weft fit`; null for other programs. */
  readonly foreseenMb: number | null;
}

/** bfloat16 and f32 of PyTorch, and bytes of a value. */
const TORCH = { float32: 4, bfloat16: 2 } as const;
/** PyTorch's own memory beside weights and activations. */
const TORCH_BYTES = 2e9;

const folder = values.folder ?? mkdtempSync(join(tmpdir(), "weft-bench-base-"));
const env = { ...process.env, WEFT_CACHE: join(folder, "cache"), GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };
const flags = [
  ...["--steps", values.steps, "--warmup", values.warmup, "--examples", values.examples, "--tokens", values.tokens],
  ...(values["low-memory"] ? ["--low-memory"] : []),
  ...(values["stream-blocks"] ? ["--stream-blocks"] : []),
  ...(values.evaluate ? [] : ["--no-evaluate"]),
];
const rows: Row[] = [];
const made: string[] = [];
const left: string[] = [];
try {
  for (const name of values.shape) await measureShape(shapeNamed(name));
} finally {
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
const summary = [...new Map(rows.map((row) => [`${row.shape}, ${row.name}`, row])).keys()].map(medianRow);
const load = `load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`;
if (values.json) process.stdout.write(`${JSON.stringify({ load, made, rows, summary, left }, null, 2)}\n`);
else process.stdout.write(table());

async function measureShape(shape: keyof typeof SHAPES): Promise<void> {
  const { layers } = values;
  const some = layers === undefined ? {} : { num_hidden_layers: Number(layers) };
  const name = layers === undefined ? shape : `${shape}-${layers}-layers`;
  const model = randomModelDirectory(folder, name, { ...SHAPES[shape], ...some }, { dtype: "BF16" });
  // The first process of a form makes its file, which the others find.
  for (const base of values.base) {
    const before = copiesMade();
    const { run } = await weftCase(model, base, ["--steps", "0"]);
    if (copiesMade() > before) keepMade(`${shape}, weft ${base}`, run);
  }
  const torch = values.against === "torch" ? torchCases(model) : [];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const base of values.base) {
      const { run, found } = await weftCase(model, base, flags);
      keep({ shape, name: `weft ${base}`, foreseenMb: foreseen(model, base as BaseForm), ...found, ...run.peak });
    }
    for (const dtype of torch) {
      const script = join(import.meta.dirname, "torch_base.py");
      const run = await measured(values.python, [script, model, "--dtype", dtype, ...flags.slice(0, 8)], { env });
      keep({ shape, name: `torch ${dtype}`, foreseenMb: null, ...lastLine(run.stdout), ...run.peak });
    }
  }
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}

async function weftCase(model: string, base: string, words: readonly string[]) {
  const script = join(import.meta.dirname, "base-case.ts");
  const run = await measured(process.execPath, [script, "--model", model, "--base", base, ...words], { env });
  return { run, found: lastLine(run.stdout) };
}

/** The types in which PyTorch can take the model here. */
function torchCases(model: string): readonly (keyof typeof TORCH)[] {
  const { status } = spawnSync(values.python, ["-c", "import torch, transformers, peft"]);
  if (status !== 0) {
    left.push(`${values.python} has no torch, transformers and peft`);
    return [];
  }
  const parameters = loadBaseModel(readModelFiles(model)).weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return (Object.keys(TORCH) as (keyof typeof TORCH)[]).filter((dtype) => {
    const fits = parameters * TORCH[dtype] * 1.3 + TORCH_BYTES < machineMemory().available;
    if (!fits) left.push(`torch ${dtype} of ${model.split("/").at(-1)} does not fit`);
    return fits;
  });
}

function foreseen(model: string, base: BaseForm): number {
  const engine = { base, lowMemory: values["low-memory"], streamBlocks: values["stream-blocks"] };
  const size = { examples: Number(values.examples), tokens: Number(values.tokens) };
  return neededBy(readModelFiles(model), { adapter: BENCH_ADAPTER, engine, ...size }).total / 1e6;
}

function lastLine(stdout: string): Pick<Row, "stepMs" | "processorMs" | "loadMs"> {
  const { stepMs, processorMs, loadMs } = JSON.parse(stdout.trim().split("\n").at(-1)!) as BaseMeasurement;
  return { stepMs: stepMs ?? Number.NaN, processorMs: processorMs ?? Number.NaN, loadMs };
}

/** Files of weights that stand in the cache. */
function copiesMade(): number {
  return existsSync(env.WEFT_CACHE) ? readdirSync(env.WEFT_CACHE).length : 0;
}

/** The making of a base's file. What it maps of the model's own files counts as resident until the system lets it go. */
function keepMade(name: string, { peak, processorSeconds }: MeasuredRun): void {
  const [own, resident] = [peak.ownMb, peak.largestResidentMb].map((mb) => Math.round(mb).toLocaleString("en"));
  const line = `${name}: its file made in ${processorSeconds.toFixed(0)} processor s, peak ${resident} MB resident, ${own} MB of its own`;
  made.push(line);
  process.stderr.write(`${line}\n`);
}

/** Said at once: a run takes long, and one that is stopped has not measured in vain. */
function keep(row: Row): void {
  rows.push(row);
  process.stderr.write(`${cells(row).join(", ")}\n`);
}

function medianRow(name: string): Row {
  const own = rows.filter((row) => `${row.shape}, ${row.name}` === name);
  const entries = Object.entries(own[0]!).map(([key, value]) => {
    if (typeof value !== "number") return [key, value];
    const sorted = own.map((row) => (row as unknown as Record<string, number>)[key]!).toSorted((a, b) => a - b);
    return [key, sorted[Math.floor(sorted.length / 2)]];
  });
  return Object.fromEntries(entries) as Row;
}

function cells(row: Row): readonly string[] {
  const mb = (value: number | null): string => (value === null ? "-" : Math.round(value).toLocaleString("en"));
  const times = [row.stepMs, row.processorMs].map((ms) => (ms / 1000).toFixed(2));
  const off = row.foreseenMb === null ? "-" : `${Math.round(100 * (row.foreseenMb / row.proportionalMb - 1))} %`;
  const memory = [row.largestResidentMb, row.proportionalMb, row.filesMb, row.foreseenMb].map(mb);
  return [`${row.shape}, ${row.name}`, ...times, ...memory, off];
}

function table(): string {
  const head =
    "| shape, base | seconds a step | processor s a step | peak resident MB | peak proportional MB | of it files | foreseen MB | off |";
  const lines = summary.map((row) => `| ${cells(row).join(" | ")} |`);
  return `${[head, "|---|---|---|---|---|---|---|---|", ...lines, "", load, ...made, ...left].join("\n")}\n`;
}
