/**
 * `npm run bench:device [-- --against torch --python PATH --json FILE --short]`: every execution provider that loads here, in
 * eight minutes at most, with nothing installed. First one LoReFT and one LoRA step of the embedded model, held to the
 * processor's; then speed and memory of LoRA steps at the shapes of published models, against PyTorch on the same device
 * where `--python` has it. What no time is left for is said. `--short` takes the golden steps and a shape of a million
 * weights: what a machine without a device can be asked on every change.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PROVIDERS, type Provider } from "../interface/runtime.ts";
import { type TrialSteps, tryDevice } from "../system/compute/device-trial.ts";
import { whyMissing } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { trialDifference } from "../training/trial-step.ts";
import type { BaseMeasurement } from "./base-case.ts";
import { measured } from "./process-memory.ts";
import { randomModelDirectory, SHAPES, SMOLLM2_135M, shapeNamed } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    python: { type: "string", default: "python3" },
    shape: { type: "string", multiple: true, default: ["135m", "0.5b", "1.7b"] },
    minutes: { type: "string", default: "8" },
    short: { type: "boolean", default: false },
    json: { type: "string" },
  },
});

/** What one provider did in the golden steps. */
interface Golden {
  readonly provider: Provider;
  /** Largest difference from the processor's, relative to the largest value; absent where it did not run. */
  readonly lora?: number;
  readonly loreft?: number;
  readonly secondsLora?: number;
  readonly float16?: string;
  readonly why?: string;
}

/** Steps of one shape on one device, by one program. */
interface Speed {
  readonly shape: string;
  readonly device: string;
  readonly program: string;
  readonly tokensPerSecond?: number;
  readonly residentMb?: number;
  readonly deviceMb?: number;
  readonly why?: string;
}

const deadline = performance.now() + 60_000 * Number(values.minutes);
const leftMs = (): number => Math.max(0, deadline - performance.now());
/** Without so much time nothing more is begun. */
const WORTH_MS = 10_000;
/** A shape of a million weights, for machines on which every step counts. */
const TINY = { ...SMOLLM2_135M, vocab_size: 2048, hidden_size: 144, intermediate_size: 256, num_hidden_layers: 3 };
const [examples, tokens] = values.short ? [2, 32] : [4, 128];

const folder = mkdtempSync(join(tmpdir(), "weft-bench-device-"));
const golden: Golden[] = [];
const speed: Speed[] = [];
try {
  await goldenSteps();
  const loads = golden.filter(({ why }) => why === undefined).map(({ provider }) => provider);
  for (const name of values.short ? ["tiny"] : values.shape) await speedAt(name, loads);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const load = `load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`;
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ load, golden, speed }, null, 2)}\n`);
process.stdout.write(table());

async function goldenSteps(): Promise<void> {
  const modelDirectory = embeddedModelDirectory();
  let expected: TrialSteps | undefined;
  for (const provider of PROVIDERS) {
    const missing = whyMissing(provider);
    if (missing !== undefined) {
      golden.push({ provider, why: missing });
      continue;
    }
    // A driver that hangs must not take the time of the others.
    const timeoutMs = Math.min(120_000, Math.ceil(leftMs()));
    const trial = await tryDevice(provider, { modelDirectory, timeoutMs, signal: new AbortController().signal });
    if (!trial.ok) {
      golden.push({ provider, why: trial.reason });
      continue;
    }
    const { steps, float16 } = trial;
    expected ??= steps;
    golden.push({
      provider,
      lora: trialDifference(steps.lora, expected.lora),
      loreft: trialDifference(steps.loreft, expected.loreft),
      secondsLora: steps.lora.seconds,
      float16: float16.ok ? "works" : float16.reason,
    });
  }
}

async function speedAt(name: string, providers: readonly Provider[]): Promise<void> {
  const [shape, config] = name === "tiny" ? [name, TINY] : [shapeNamed(name), SHAPES[shapeNamed(name)]];
  if (leftMs() < WORTH_MS) {
    speed.push({ shape, device: "-", program: "-", why: "no time was left" });
    return;
  }
  const model = randomModelDirectory(folder, shape, config, { dtype: "BF16" });
  for (const device of providers) {
    await timed({ shape, device, program: "weft" }, process.execPath, [
      ...[join(import.meta.dirname, "base-case.ts"), "--model", model, "--device", device, "--no-evaluate"],
      ...(device === "cpu" && !values.short ? ["--base", "f16"] : []),
    ]);
  }
  for (const device of values.against === "torch" ? torchDevices(providers) : []) {
    const dtype = device === "cpu" ? "float32" : "bfloat16";
    const script = join(import.meta.dirname, "torch_base.py");
    await timed({ shape, device, program: `torch ${dtype}` }, values.python, [
      ...[script, model, "--device", device, "--dtype", dtype],
    ]);
  }
  rmSync(model, { recursive: true, force: true });
}

async function timed(
  of: Pick<Speed, "shape" | "device" | "program">,
  command: string,
  words: readonly string[],
): Promise<void> {
  if (leftMs() < WORTH_MS) {
    speed.push({ ...of, why: "no time was left" });
    return;
  }
  const size = ["--steps", "3", "--warmup", "1", "--examples", `${examples}`, "--tokens", `${tokens}`];
  const env = { ...process.env, WEFT_CACHE: join(folder, "cache") };
  try {
    const { stdout, peak } = await measured(command, [...words, ...size], { env, timeoutMs: Math.ceil(leftMs()) });
    const found = JSON.parse(stdout.trim().split("\n").at(-1)!) as BaseMeasurement & { readonly devicePeakMb?: number };
    speed.push({
      ...of,
      tokensPerSecond: (1000 * examples * tokens) / (found.stepMs ?? Number.NaN),
      residentMb: peak.largestResidentMb,
      ...(found.devicePeakMb !== undefined && { deviceMb: found.devicePeakMb }),
    });
  } catch (error) {
    const said = (error instanceof Error ? error.message : String(error)).trim().split("\n");
    speed.push({ ...of, why: said.find((line) => /Error/.test(line)) ?? said[0]! });
  }
}

/** Devices of PyTorch beside those of weft. */
function torchDevices(providers: readonly Provider[]): readonly ("cpu" | "cuda")[] {
  const { status, stdout } = spawnSync(
    values.python,
    ["-c", "import torch, transformers, peft; print(torch.cuda.is_available())"],
    { encoding: "utf8" },
  );
  if (status !== 0) return [];
  const cuda = stdout.includes("True") ? (["cuda"] as const) : [];
  return [...(providers.includes("cpu") ? (["cpu"] as const) : []), ...cuda];
}

function table(): string {
  const small = (value: number | undefined): string => (value === undefined ? "-" : value.toExponential(1));
  const whole = (value: number | undefined): string =>
    value === undefined ? "-" : Math.round(value).toLocaleString("en");
  const steps = golden.map(({ provider, lora, loreft, secondsLora, float16, why }) => {
    const cells = [provider, small(lora), small(loreft), secondsLora?.toFixed(3) ?? "-", float16 ?? "-", why ?? ""];
    return `| ${cells.join(" | ")} |`;
  });
  const speeds = speed.map(({ shape, device, program, tokensPerSecond, residentMb, deviceMb, why }) => {
    const cells = [shape, device, program, whole(tokensPerSecond), whole(residentMb), whole(deviceMb), why ?? ""];
    return `| ${cells.join(" | ")} |`;
  });
  return `${[
    "| provider | LoRA step, off the processor's by | LoReFT step | seconds | 16 bits | |",
    "|---|---|---|---|---|---|",
    ...steps,
    "",
    "| shape | device | program | tokens/s | resident MB | device MB | |",
    "|---|---|---|---|---|---|---|",
    ...speeds,
    "",
    load,
  ].join("\n")}\n`;
}
