/** The import directions of docs/ARCHITECTURE.md: that the tool reads our files at all, and that it refuses what it must. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cruise, type ICruiseOptions, type ICruiseResult } from "dependency-cruiser";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = dirname(import.meta.dirname);
const { forbidden, options } = createRequire(import.meta.url)("../.dependency-cruiser.cjs");
const rooms = ["protocol", "node", "cli", "testnet"];

async function cruiseHouse(baseDir: string): Promise<ICruiseResult> {
  // A house in a temporary folder has its own package.json, and no tsconfig.
  const { tsConfig: _, ...rest } = options;
  const cruiseOptions: ICruiseOptions = { ...rest, baseDir, ruleSet: { forbidden }, validate: true };
  const { output } = await cruise(rooms, cruiseOptions);
  if (typeof output === "string") throw new Error(`not a result: ${output}`);
  return output;
}

describe("import directions", () => {
  let house: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(house, path)), { recursive: true });
    writeFileSync(join(house, path), text);
  };

  beforeEach(() => {
    house = mkdtempSync(join(tmpdir(), "weft-house-"));
    symlinkSync(join(repository, "node_modules"), join(house, "node_modules"));
    symlinkSync(join(repository, "package.json"), join(house, "package.json"));
    for (const room of rooms) write(`${room}/thing.ts`, "export interface Thing { readonly x: number }\n");
  });
  afterEach(() => rmSync(house, { recursive: true, force: true }));

  it.each([
    [
      "protocol/a.ts",
      'import type { Thing } from "../node/thing.ts"; export type A = Thing;',
      "protocol-is-the-ground",
    ],
    ["protocol/a.ts", 'import { readFileSync } from "node:fs"; export const a = readFileSync;', "protocol-is-pure"],
    ["node/round/a.ts", 'export { setTimeout } from "node:timers";', "only-system-imports-node-builtins"],
    ["node/exchange/a.ts", 'export { createLibp2p } from "libp2p";', "only-system-has-hands"],
    ["node/exchange/a.ts", 'export const a = () => import("@libp2p/tcp");', "only-system-has-hands"],
    ["node/system/a.ts", 'export { InferenceSession } from "onnxruntime-node";', "one-place-loads-onnxruntime"],
    ["node/a.ts", 'export type * from "../testnet/thing.ts";', "node-below-testnet"],
    ["cli/a.ts", 'export type { Thing } from "../node/thing.ts";', "node-by-its-index"],
    ["cli/commands/a.ts", 'export const a = () => import("../../node/thing.ts");', "node-by-its-index"],
    ["testnet/a.ts", 'export type { Thing } from "../cli/thing.ts";', "testnet-below-cli"],
    ["cli/a.ts", 'export { test } from "vitest";', "no-tools-in-the-product"],
  ])("refuses in %s: %s", async (path, text, rule) => {
    write(path, `${text}\n`);
    const { summary } = await cruiseHouse(house);
    expect(summary.violations.map((violation) => [violation.from, violation.rule.name])).toEqual([[path, rule]]);
  });

  it("allows protocol <- node <- testnet <- cli, and node's hands in node/system", async () => {
    write(
      "node/system/a.ts",
      'import "node:fs"; import "libp2p"; import type { Thing } from "../../protocol/thing.ts"; export type A = Thing;',
    );
    write(
      "node/index.ts",
      'export type { Thing } from "./thing.ts"; export const open = () => import("./doctor/b.ts");',
    );
    write("node/doctor/b.ts", "export const b = 1;");
    write("testnet/a.ts", 'export type { Thing } from "../node/index.ts";');
    write("cli/a.ts", 'export type { Thing } from "../testnet/thing.ts";');
    const { summary } = await cruiseHouse(house);
    expect(summary.violations).toEqual([]);
    expect(summary.totalDependenciesCruised).toBeGreaterThanOrEqual(5);
  });
});
