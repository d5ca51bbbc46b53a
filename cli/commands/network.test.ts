/** A network's way as its founder and its first peer have it: create, run, stop. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommandLine } from "../program.ts";
import type { Terminal } from "../terminal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-network-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

async function weft(words: readonly string[], onErr: (text: string, stop: () => void) => void = () => undefined) {
  let [out, err] = ["", ""];
  const interrupt = new AbortController();
  const terminal: Terminal = {
    out: (chunk) => void (out += chunk),
    err: (chunk) => {
      err += chunk;
      onErr(chunk, () => interrupt.abort());
    },
    errIsTerminal: false,
    columns: () => 80,
    nextLine: () => new Promise(() => undefined),
    environment: { WEFT_DATA_DIR: at("peer") },
    signal: interrupt.signal,
  };
  const code = await runCommandLine(words, terminal);
  return { code, out, err };
}

const create = (...more: readonly string[]) =>
  weft(["network", "create", "--adapter", "loreft:r1:f1", "--out", at("network.json"), ...more]);

describe("weft network create", () => {
  it("overwrites no other file unasked, and is content with its own", async () => {
    const first = await create();
    expect(first).toMatchObject({ code: 0, err: expect.stringContaining("manifest written to") });
    const again = await create();
    expect(again).toMatchObject({
      code: 0,
      out: first.out,
      err: expect.stringContaining("holds this manifest already"),
    });

    const kept = await readFile(at("network.json"), "utf8");
    const refused = await create("--seed", "2");
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toMatch(/^weft: .*network\.json exists and is not this manifest; .*--out.*--force\n$/m);
    expect(await readFile(at("network.json"), "utf8")).toBe(kept);

    expect((await create("--seed", "2", "--force")).code).toBe(0);
    expect(JSON.parse(await readFile(at("network.json"), "utf8")).seed).toBe(2);
  });
});

describe("weft run", () => {
  const run = ["run", "--hold", "--threads", "1"];
  const stopOnceItListens = (text: string, stop: () => void): void => {
    if (text.startsWith("dial this peer")) stop();
  };

  it("binds a fresh data directory once it has started, and says by its exit code that it was stopped", async () => {
    await create();
    let isBound = false;
    const stopped = await weft([...run, "--network", at("network.json")], (text, stop) => {
      // Whoever hears that it runs may act on the directory at once.
      if (text.startsWith("dial this peer")) isBound = existsSync(at("peer/network.json"));
      stopOnceItListens(text, stop);
    });
    expect(stopped).toMatchObject({ code: 130, out: "" });
    expect(isBound).toBe(true);
    expect(await readFile(at("peer/network.json"), "utf8")).toBe(await readFile(at("network.json"), "utf8"));

    await create("--seed", "2", "--force");
    const other = await weft([...run, "--network", at("network.json")]);
    expect(other).toMatchObject({
      code: 2,
      err: expect.stringContaining("belongs to another network: seed is 0 there"),
    });
  });

  it("leaves a fresh data directory free when it is refused", async () => {
    await create();
    const manifest = JSON.parse(await readFile(at("network.json"), "utf8"));
    manifest.model.digest.weights = "0".repeat(64);
    await writeFile(at("wrong.json"), JSON.stringify(manifest));
    const refused = await weft([...run, "--network", at("wrong.json")]);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("is not the model of network") });
    expect(existsSync(at("peer"))).toBe(false);
  });

  it("refuses --events with --json before it does anything", async () => {
    const line = "weft: --events and --json both fill standard output; give one of them\n";
    const { out, ...said } = await weft([...run, "--events", "--json"]);
    expect(said).toEqual({ code: 2, err: line });
    expect(JSON.parse(out)).toHaveProperty("error.code", "CONFIG_INVALID");
  });
});
