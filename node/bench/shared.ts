/**
 * `npm run bench:shared [-- --peers N --base FORM --python PATH]`: whether peers on one machine hold a base once. Trains one
 * adapter in one process, then `--peers` of them at the same time in processes of their own, on one model directory at
 * SmolLM2-135M's shape, and looks at all of them together from outside. A page that N processes have counts 1/N in each
 * one's proportional share, so the sum of the shares has the pages of the base once where the processes share them.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { type MemoryPeak, measured, watchMemory } from "./process-memory.ts";
import { randomModelDirectory, SHAPES, shapeNamed } from "./random-model.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "135m" },
    base: { type: "string", multiple: true, default: ["f32", "q4"] },
    peers: { type: "string", default: "4" },
    examples: { type: "string", default: "1" },
    tokens: { type: "string", default: "64" },
    json: { type: "boolean", default: false },
  },
});
/** Steps after which a process holds all that it ever will: one that warms up, and two. */
const STEPS = 3;
const folder = mkdtempSync(join(tmpdir(), "weft-bench-shared-"));
const env = { ...process.env, WEFT_CACHE: join(folder, "cache") };
const script = join(import.meta.dirname, "base-case.ts");
const size = ["--examples", values.examples, "--tokens", values.tokens, "--threads", "1"];
const found: Record<string, { readonly one: MemoryPeak; readonly all: MemoryPeak }> = {};
try {
  const shape = shapeNamed(values.shape);
  const model = randomModelDirectory(folder, shape, SHAPES[shape], { dtype: "BF16" });
  for (const base of values.base) {
    const words = [script, "--model", model, "--base", base, ...size];
    await measured(process.execPath, [...words, "--steps", "0"], { env });
    const { peak: one } = await measured(process.execPath, [...words, "--steps", "2"], { env });
    found[base] = { one, all: await together(words, Number(values.peers)) };
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(values.json ? `${JSON.stringify(found, null, 2)}\n` : table());

/** So many processes at once: all are looked at until each has taken a few steps, or the first one ends. */
async function together(words: readonly string[], count: number): Promise<MemoryPeak> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [...words, "--steps", "1000000"], { env, stdio: ["ignore", "ignore", "pipe"] }),
  );
  const watch = watchMemory(() => children.flatMap(({ pid }) => pid ?? []));
  const ended = children.map((child) => new Promise((resolve) => child.once("close", resolve)));
  await Promise.race([Promise.all(children.map(haveStepped)), ...ended]);
  const peak = watch.stop();
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(ended);
  return peak;
}

/** Until a process has taken its first steps: what it holds then it holds for good. */
async function haveStepped({ stderr }: { readonly stderr: Readable }): Promise<void> {
  let steps = 0;
  for await (const line of createInterface({ input: stderr })) {
    if (line !== "step") process.stderr.write(`${line}\n`);
    else if (++steps === STEPS) break;
  }
  stderr.resume();
}

function table(): string {
  const mb = (value: number): string => Math.round(value).toLocaleString("en");
  const lines = Object.entries(found).map(([base, { one, all }]) => {
    const cells = [one.proportionalMb, one.filesMb, all.proportionalMb, all.filesMb, all.ownMb, all.residentMb].map(mb);
    return `| ${base} | ${cells.join(" | ")} |`;
  });
  const head = `| base | one process, proportional MB | of it files | ${values.peers} processes, sum of shares | of it files | of it their own | sum of resident sets |`;
  return `${[head, "|---|---|---|---|---|---|---|", ...lines].join("\n")}\n`;
}
