/** Trains one adapter by the command line on a file as people have them, in a folder that goes with the test file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { type CommandResult, weft } from "../command.suite.ts";

const CASES = join(import.meta.dirname, "../../node/data/cases");
const SMALL = ["--adapter", "lora:r2:q_proj", "--threads", "1", "--json"];

/** The path of the given file `name`. */
export const given = (name: string): string => join(CASES, name);

let folder = "";
let count = 0;

/** Makes the folder of this test file and removes it after its tests; what is called gives its path. */
export function caseFolder(): () => string {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-cases-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

/** What `weft train` says of `data` in one small step, and the folder of the adapter. */
export async function train(data: string, ...more: string[]): Promise<CommandResult & { readonly folder: string }> {
  const out = join(folder, `adapter-${(count += 1)}`);
  const words = ["train", "--data", data, "--steps", "1", "--batch-size", "2", "--out", out];
  return { ...(await weft([...words, ...SMALL, ...more])), folder: out };
}

/** What `weft eval` says in JSON, and what it says beside it; it must succeed. */
export async function evaluate(...more: string[]) {
  const { code, out, err } = await weft(["eval", "--threads", "1", "--json", ...more]);
  expect([code, err]).toEqual([0, expect.any(String)]);
  return { ...JSON.parse(out), err };
}
