/**
 * `npm run bench:base [-- --shape NAME --base FORM --rounds N --low-memory --json]`: steps and peak memory of every form of the
 * frozen base at the shapes of published models, with random weights. Every case runs in a process of its own, the forms
 * alternating; figures are medians over the rounds, and ratios to f32 of the same run.
 */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BASE_FORMS } from "../../protocol/settings/base-forms.ts";
import type { BaseMeasurement } from "./base-case.ts";
import { randomModelDirectory, SHAPES } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", multiple: true, default: ["smollm2-135m"] },
    base: { type: "string", multiple: true, default: [...BASE_FORMS] },
    rounds: { type: "string", default: "2" },
    steps: { type: "string", default: "3" },
    examples: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
    "low-memory": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const known: Readonly<Record<string, (typeof SHAPES)[keyof typeof SHAPES]>> = SHAPES;
const measured = new Map<string, BaseMeasurement[]>();
for (const shape of values.shape) {
  const config = known[shape];
  if (config === undefined)
    throw new Error(`there is no shape ${shape}; give one of ${Object.keys(SHAPES).join(", ")}`);
  const model = randomModelDirectory(join(tmpdir(), "weft-bench-bf16"), shape, config, { dtype: "BF16" });
  // The first process of a form makes its file, which later runs find.
  for (const base of values.base) measure(model, base, "0");
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const base of values.base) {
      const name = `${shape}, ${base}`;
      measured.set(name, [...(measured.get(name) ?? []), measure(model, base, values.steps)]);
    }
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(Object.fromEntries(measured), null, 2)}\n`);
else print();

function measure(model: string, base: string, steps: string): BaseMeasurement {
  const { examples, tokens, "low-memory": lowMemory } = values;
  const words = ["--model", model, "--base", base, "--steps", steps, "--examples", examples, "--tokens", tokens];
  const script = join(import.meta.dirname, "base-case.ts");
  const flags = lowMemory ? ["--low-memory"] : [];
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, ...words, ...flags], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${base} failed: ${stderr}`);
  return JSON.parse(stdout) as BaseMeasurement;
}

function print(): void {
  const cell = (name: string, of: (one: BaseMeasurement) => number | null): number =>
    (measured.get(name) ?? []).map((one) => of(one) ?? Number.NaN).toSorted((a, b) => a - b)[
      Math.floor((measured.get(name)?.length ?? 0) / 2)
    ] ?? Number.NaN;
  const lines = [...measured.keys()].map((name) => {
    const first = `${name.split(",")[0]}, f32`;
    const [step, processor] = [cell(name, ({ stepMs }) => stepMs), cell(name, ({ processorMs }) => processorMs)];
    const ratio = processor / cell(first, ({ processorMs }) => processorMs);
    const figures = [(step / 1000).toFixed(2), (processor / 1000).toFixed(2), ratio.toFixed(2)];
    const peaks = [cell(name, ({ peakMb }) => peakMb), cell(name, ({ peakPssMb }) => peakPssMb)].map(Math.round);
    return `| ${[name, ...figures, ...peaks].join(" | ")} |`;
  });
  const head =
    "| shape, base | seconds a step | processor s a step | of f32's | peak resident MB | peak proportional MB |";
  process.stdout.write(`${[head, "|---|---|---|---|---|---|", ...lines].join("\n")}\n`);
}
