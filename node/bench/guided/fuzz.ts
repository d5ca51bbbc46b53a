/**
 * `npm run fuzz:guided [-- --target NAME] [--seconds N] [--seed N] [--executions N] [--failures DIR] [--blind] [--keep]`: fuzzes
 * each decoder for so long, led by the code that inputs reach, or with `--blind` faster and without. It begins with the inputs
 * that are kept in corpus/; `--keep` adds to them, and to the executions that `--table` prints. An input on which a decoder
 * fails is written to a file of DIR and ends the run with status 1.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BlindOptions, blindFuzz } from "./blind-fuzz.ts";
import { BlockCoverage } from "./coverage.ts";
import { type Fault, type GuidedTarget, guidedFuzz } from "./guided-fuzz.ts";
import { minimalCorpus } from "./minimal-corpus.ts";
import { randomOf } from "./mutate.ts";
import { addToTally, readTally, tallyTable } from "./tally.ts";

const CORPUS = join(import.meta.dirname, "corpus");
/** Of each target in the repository: enough to begin where the last run ended. */
const KEPT_MAX = 64;
const KEPT_BYTES_MAX = 2_048;
/** Longest input: decoders refuse longer ones by their length, and short ones go through many more changes. */
const BYTES_MAX = 8_192;

/** Inputs of a target that earlier runs kept. */
export function keptInputs(name: string): readonly Uint8Array[] {
  const file = join(CORPUS, `${name}.json`);
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, "utf8")) as readonly string[]).map((text) => Buffer.from(text, "base64"));
}

if (import.meta.main) process.exitCode = await run();

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: "string", multiple: true },
      seconds: { type: "string", default: "20" },
      executions: { type: "string", default: "10000000" },
      seed: { type: "string", default: "1" },
      failures: { type: "string", default: "weft-fuzz-failures" },
      blind: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      table: { type: "boolean", default: false },
    },
  });
  if (values.table) {
    console.log(tallyTable(readTally()));
    return 0;
  }
  const coverage = new BlockCoverage();
  if (!values.blind) coverage.start();
  const { guidedTargets, patientTargets } = await import("./targets.ts");
  const all = [...guidedTargets(), ...(values.blind ? patientTargets() : [])];
  const targets = all.filter(({ name }) => values.target === undefined || values.target.includes(name));
  const [seconds = 0, seed = 0, executionsMax = 0] = [values.seconds, values.seed, values.executions].map(Number);
  if (targets.length === 0 || !(seconds > 0) || !(seed > 0) || !(executionsMax > 0)) {
    console.error(`fuzz:guided: numbers above 0, and --target is one of ${all.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  let faults = 0;
  for (const target of targets) {
    const options = { random: randomOf(seed), executionsMax, millisecondsMax: 1000 * seconds, bytesMax: BYTES_MAX };
    const fault = await fuzzOne(target, options, {
      coverage: values.blind ? undefined : coverage,
      isKept: values.keep,
    });
    if (fault !== undefined) faults += report(target, fault, values.failures);
  }
  if (!values.blind) coverage.stop();
  return faults === 0 ? 0 : 1;
}

/** One target, led by coverage where there is one; the fault that ended it. */
async function fuzzOne(
  target: GuidedTarget,
  options: BlindOptions,
  { coverage, isKept }: { readonly coverage: BlockCoverage | undefined; readonly isKept: boolean },
): Promise<Fault | undefined> {
  const kept = keptInputs(target.name);
  const whole = { ...target, seeds: [...target.seeds, ...kept] };
  if (coverage === undefined) {
    const { executions, outcomes, found, fault } = await blindFuzz(whole, options);
    console.log(`| ${target.name} | ${executions} | ${outcomes.size} outcomes | ${found.length} |`);
    if (isKept) {
      keep(target.name, [...kept, ...found]);
      addToTally(target.name, "blind", executions);
    }
    return fault;
  }
  const { executions, reached, found, fault } = guidedFuzz(whole, { ...options, coverage });
  console.log(`| ${target.name} | ${executions} | ${reached.bySeeds} | ${reached.byAll} | ${found.length} |`);
  if (isKept) {
    keep(target.name, minimalCorpus(target, [...kept, ...found], coverage));
    addToTally(target.name, "guided", executions);
  }
  return fault;
}

function keep(name: string, inputs: readonly Uint8Array[]): void {
  const short = inputs
    .filter(({ length }) => length <= KEPT_BYTES_MAX)
    .map((bytes) => Buffer.from(bytes).toString("base64"));
  // Newer ones are those that were hardest to find.
  const kept = [...new Set(short)].slice(-KEPT_MAX);
  if (kept.length === 0) return;
  mkdirSync(CORPUS, { recursive: true });
  writeFileSync(join(CORPUS, `${name}.json`), `${JSON.stringify(kept, null, 1)}\n`);
}

function report({ name }: GuidedTarget, fault: Fault, folder: string): number {
  const file = join(folder, `${name}-${createHash("sha256").update(fault.bytes).digest("hex").slice(0, 12)}.bin`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, fault.bytes);
  console.error(`${name} failed; the input is in ${file}`);
  console.error(fault.error);
  return 1;
}
