/**
 * `npm run bench:step [-- --against torch] [--json] [--rounds N] [--case NAME]`: speed and peak memory of training steps
 * at SmolLM2-135M's shape with random weights, through the product's own code, on two threads. Every case runs in
 * processes of its own, alternating with PyTorch's where that is asked for; figures are medians over the rounds. Then
 * every case takes a few steps more in a process whose runtime says what each operator costs; --no-profile leaves them out.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { YOUNG_MB } from "../system/compute/waiting-threads.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { trainingStepGraph } from "../training/training-step.ts";
import { matrixGflop, peakGflops } from "./matrix-products.ts";
import { dearest, matrixShare, type OperatorTimes, operatorTimes } from "./operator-profile.ts";
import { randomModelDirectory, SMOLLM2_135M } from "./random-model.ts";
import type { StepMeasurement } from "./step-case.ts";
import { STEP_CASE_NAMES, STEP_CASES, type StepCase, type StepCaseName } from "./step-cases.ts";

const THREADS = 2;
/** Few, because they are slower: every operator writes down what it took. */
const PROFILED_STEPS = 3;
/** Huge pages for the allocator: without them about half of the processes run in a slow mode. */
const ENVIRONMENT = { ...process.env, GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "6" },
    case: { type: "string", multiple: true },
    profile: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const unknown = values.case?.find((name) => !Object.hasOwn(STEP_CASES, name));
if (unknown !== undefined) throw new Error(`there is no case ${unknown}; give one of ${STEP_CASE_NAMES.join(", ")}`);
const names = (values.case as StepCaseName[] | undefined) ?? STEP_CASE_NAMES;
const torchMissing = values.against === "torch" ? whyNoTorch() : "not asked for; add --against torch";
const model = randomModelDirectory(join(tmpdir(), "weft-bench"), "smollm2-135m", SMOLLM2_135M);

type TorchMeasurement = Pick<StepMeasurement, "stepMs" | "processorMs" | "tokensPerSecond" | "peakMb">;
const ours = new Map<string, StepMeasurement[]>();
const torch = new Map<string, TorchMeasurement[]>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of names) {
    keep(ours, name, measureCase(name, values.steps));
    const twin = STEP_CASES[name].torch;
    if (torchMissing !== undefined || (torch.get(twin)?.length ?? 0) > round) continue;
    const script = join(import.meta.dirname, "torch_step.py");
    keep(torch, twin, measure<TorchMeasurement>("python3", [script, twin, "--steps", values.steps]));
  }
}

const profiles = new Map<string, OperatorTimes>();
if (values.profile) for (const name of names) profiles.set(name, profileOf(name));
const peak = await peakGflops(THREADS);
const rows = names.map((name) => {
  const own = medians(ours.get(name)!);
  const other = torch.has(STEP_CASES[name].torch) ? medians(torch.get(STEP_CASES[name].torch)!) : undefined;
  // Where lower blocks are kept, not all of the step's products are computed, and integers are no floating point numbers.
  const { keepActivations, precision = "fp32" }: StepCase = STEP_CASES[name];
  const gflop = keepActivations || precision !== "fp32" ? null : matrixGflop(graphOf(STEP_CASES[name]));
  const gflops = gflop === null ? null : gflop / (own.stepMs / 1000);
  const times = profiles.get(name);
  const operators = times && { matrixShare: matrixShare(times), milliseconds: times };
  return { name, own, torch: other, gflop, gflops, ofPeak: gflops === null ? null : gflops / peak, operators };
});
const find = (name: StepCaseName) => rows.find((row) => row.name === name);
const ratio = (name: StepCaseName, figure: "tokensPerSecond" | "peakMb"): number | null => {
  const row = find(name);
  return row?.torch ? row.own[figure] / row.torch[figure] : null;
};
const document = {
  machine: { threads: THREADS, peakGflops: peak },
  torch: torchMissing ?? "measured in this run",
  ratios: {
    lora_all: ratio("lora_all", "tokensPerSecond"),
    lora_response: ratio("lora_response", "tokensPerSecond"),
    loreft_all: ratio("loreft_all", "tokensPerSecond"),
    loreft_upper: ratio("loreft_upper", "tokensPerSecond"),
    upper_epochs: ratio("upper_epochs", "tokensPerSecond"),
    upper_epochs_response: ratio("upper_epochs_response", "tokensPerSecond"),
    memory: ratio("lora_all", "peakMb"),
    low_memory_speed: ratio("low_memory", "tokensPerSecond"),
    low_memory: ratio("low_memory", "peakMb"),
    long_512: ratio("long_512", "tokensPerSecond"),
    long_512_memory: ratio("long_512", "peakMb"),
    long_1024: ratio("long_1024", "tokensPerSecond"),
    long_1024_memory: ratio("long_1024", "peakMb"),
    long_1024_low_memory_speed: ratio("long_1024_low_memory", "tokensPerSecond"),
    long_1024_low_memory: ratio("long_1024_low_memory", "peakMb"),
    int8: ratio("int8", "tokensPerSecond"),
    int8_memory: ratio("int8", "peakMb"),
  },
  cases: Object.fromEntries(rows.map(({ name, ...row }) => [name, row])),
};
if (values.json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
else process.stdout.write(table());

function table(): string {
  const lines = [
    `best matrix product of this machine: ${peak.toFixed(0)} GFLOP/s on ${THREADS} threads; torch: ${document.torch}`,
    "| case | tokens/s | peak MB | overhead | GFLOP/s | of peak | torch tokens/s | torch MB | speed ratio | by processor time | memory ratio |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
  ];
  for (const { name, own, torch: other, gflops, ofPeak } of rows) {
    const against = other
      ? `${other.tokensPerSecond.toFixed(0)} | ${other.peakMb.toFixed(0)} | ${(own.tokensPerSecond / other.tokensPerSecond).toFixed(2)} | ${(other.processorMs / own.processorMs).toFixed(2)} | ${(own.peakMb / other.peakMb).toFixed(2)}`
      : "- | - | - | - | -";
    lines.push(
      `| ${name} | ${own.tokensPerSecond.toFixed(0)} | ${own.peakMb.toFixed(0)} | ${(100 * own.overheadShare).toFixed(1)} % | ${gflops?.toFixed(0) ?? "-"} | ${ofPeak === null ? "-" : `${(100 * ofPeak).toFixed(0)} %`} | ${against} |`,
    );
  }
  if (profiles.size > 0) lines.push("", "time in the runtime by operator (of 1 % and more):");
  for (const { name, operators } of rows) {
    if (!operators) continue;
    const share = `${(100 * operators.matrixShare).toFixed(0)} % matrix products`;
    lines.push(`${name}: ${share}; ${dearest(operators.milliseconds)}`);
  }
  return `${lines.join("\n")}\n`;
}

function measureCase(name: StepCaseName, steps: string, more: readonly string[] = []): StepMeasurement {
  // As the training thread has it.
  const room = `--max-semi-space-size=${YOUNG_MB / 3}`;
  const flags = ["--case", name, "--model", model, "--steps", steps, "--threads", `${THREADS}`, ...more];
  return measure(process.execPath, [room, join(import.meta.dirname, "step-case.ts"), ...flags]);
}

function profileOf(name: StepCaseName): OperatorTimes {
  const folder = mkdtempSync(join(tmpdir(), "weft-profile-"));
  try {
    measureCase(name, `${PROFILED_STEPS}`, ["--profile", folder]);
    return operatorTimes(folder, PROFILED_STEPS);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measure<T>(command: string, words: readonly string[]): T {
  const { status, stdout, stderr } = spawnSync(command, [...words], { encoding: "utf8", env: ENVIRONMENT });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")} failed:\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as T;
}

function keep<T extends TorchMeasurement>(into: Map<string, T[]>, name: string, measurement: T): void {
  into.set(name, [...(into.get(name) ?? []), measurement]);
  // Said at once: a run takes minutes, and one that is stopped has not measured in vain.
  const { tokensPerSecond, peakMb } = measurement;
  const who = (into as Map<string, unknown>) === torch ? "torch" : "weft";
  process.stderr.write(`${who} ${name}: ${tokensPerSecond.toFixed(1)} tokens/s, ${peakMb.toFixed(0)} MB\n`);
}

function medians<T extends object>(measurements: readonly T[]): T {
  const [first] = measurements;
  const entries = Object.entries(first!).map(([key, value]) => {
    if (typeof value !== "number") return [key, value];
    const sorted = measurements.map((m) => (m as Record<string, number>)[key]!).toSorted((a, b) => a - b);
    return [key, sorted[Math.floor(sorted.length / 2)]];
  });
  return Object.fromEntries(entries) as T;
}

function graphOf({ adapter, batchSize, tokens, promptTokens, lowMemory }: StepCase) {
  const base = loadBaseModel(readModelFiles(model));
  const method = adapterMethod(adapter);
  const slots = adapterSlots(method.tensors(adapter, base.shape));
  const frozen = method.frozen(adapter, base.shape, 1);
  const shape = { examples: batchSize, tokens, labels: batchSize * (tokens - promptTokens) };
  return trainingStepGraph({ model: base, adapter, slots, frozen }, shape, { lowMemory });
}

function whyNoTorch(): string | undefined {
  const { status } = spawnSync("python3", ["-c", "import torch, transformers, peft"]);
  return status === 0
    ? undefined
    : "python3 has no torch, transformers and peft (pip install torch==2.13.0 transformers peft)";
}
