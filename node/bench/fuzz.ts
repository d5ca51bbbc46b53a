/**
 * `npm run fuzz [-- --cases N] [--seed N] [--target NAME] [--failures DIR]`: N changed vectors of every target: of what members
 * sign, of greetings and notes, of both as insiders sign them, and of everything else on the wire.
 * A case that is accepted, or that makes a decoder fail, is written to a file of DIR and ends the run with status 1;
 * `npm run fuzz -- --replay FILE` tries it again.  `npm run fuzz:nightly` draws its seed and takes a million of every target.
 */
import { randomInt } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzzTargets } from "../../protocol/vectors/fuzz.ts";
import { type FuzzCase, FuzzFailure, fuzz, tryAgain } from "../../protocol/vectors/mutation.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
    target: { type: "string" },
    failures: { type: "string", default: "weft-fuzz-failures" },
    replay: { type: "string" },
  },
});
const verify = createNativeVerifier();
process.exitCode = values.replay === undefined ? await run() : await replay(values.replay);

async function run(): Promise<number> {
  const cases = Number(values.cases);
  const seed = values.seed === "draw" ? randomInt(2 ** 31) : Number(values.seed);
  const targets = fuzzTargets().filter(({ name }) => values.target === undefined || name === values.target);
  if (!(cases >= 1) || !(seed >= 0) || targets.length === 0) {
    const names = fuzzTargets().map(({ name }) => name);
    console.error(`fuzz: --cases and --seed are numbers (or --seed draw), --target is one of ${names.join(", ")}`);
    return 2;
  }
  console.log(`seed ${seed}, ${targets.length * cases} cases`);
  for (const target of targets) {
    try {
      const { outcomes } = fuzz(target, { cases, seed, verify });
      console.log(`${target.name}: ${cases} cases from seed ${seed}: none accepted that nobody signed, none failed`);
      for (const [outcome, count] of Object.entries(outcomes).sort(([, a], [, b]) => b - a))
        console.log(`${count}\t${outcome}`);
    } catch (error) {
      if (!(error instanceof FuzzFailure)) throw error;
      return await report(error, values.failures);
    }
  }
  return 0;
}

async function replay(file: string): Promise<number> {
  const found: FuzzCase = JSON.parse(await readFile(file, "utf8"));
  try {
    console.log(`${found.target}: ${found.message} "${found.name}": ${tryAgain(fuzzTargets(), found, verify)}`);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

async function report(failure: FuzzFailure, folder: string): Promise<number> {
  const { found } = failure;
  const file = join(folder, `${found.target}-${found.seed}-${found.index}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${JSON.stringify(found, null, 1)}\n`);
  console.error(failure);
  console.error(`Try it again with: npm run fuzz -- --replay ${file}`);
  return 1;
}
