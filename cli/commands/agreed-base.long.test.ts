/** A network that agreed on a form of the base, from its manifest to a peer's first round. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { weft } from "../command.suite.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-agreed-"));
  vi.stubEnv("WEFT_CACHE", join(folder, "cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const MODEL = join(import.meta.dirname, "../../node/model/cases/base-llama");
const DATA = join(import.meta.dirname, "../../node/data/cases/A1-array.json");
const peer = (name: string, manifest: string, ...more: readonly string[]) =>
  weft([
    ...["run", "--data-dir", join(folder, name), "--network", join(folder, manifest), "--model", MODEL],
    ...["--data", DATA, "--threads", "1", "--admin", "off", ...more],
  ]);

it("names it in its manifest, trains on it unasked, and refuses a peer with another one", async () => {
  const adapter = ["--adapter", "lora:r1:q_proj", "--rounds", "1", "--local-steps", "1", "--batch-size", "2"];
  const out = join(folder, "q4.json");
  const created = await weft(["network", "create", "--model", MODEL, ...adapter, "--base", "q4", "--out", out]);
  expect(created.code).toBe(0);
  const shown = await weft(["model", "base", "--model", MODEL, "--base", "q4", "--json"]);
  const [base] = JSON.parse(shown.out).bases;
  expect(base).toEqual({ form: "q4", digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect((await weft(["network", "show", out])).out).toContain(`base         q4, digest ${base.digest}`);

  const other = await peer("other", "q4.json", "--base", "q8");
  expect(other.code).toBe(2);
  expect(other.err).toMatch(
    /^weft: all peers of this network train on the base in q4, and this one is to keep it in q8; leave out --base, or give --base q4$/m,
  );

  const manifest = JSON.parse(readFileSync(out, "utf8"));
  manifest.base.digest = "0".repeat(64);
  writeFileSync(join(folder, "rounded.json"), JSON.stringify(manifest));
  const rounded = await peer("rounded", "rounded.json");
  expect(rounded.code).toBe(2);
  expect(rounded.err).toMatch(
    /^weft: the base in q4 has digest [0-9a-f]{16}… here, and 0{16}… in the network's manifest;/m,
  );

  const plain = await peer("plain", "q4.json");
  expect(plain.code).toBe(0);
  expect(plain.err).toMatch(/^base in q4; about [\d.]+ MB of memory/m);
  expect(plain.err).toContain(`base in q4, digest ${base.digest}\n`);
});

it("is said by eval and generate as well", async () => {
  const use = ["--model", MODEL, "--threads", "1"];
  const generated = await weft(["generate", ...use, "--prompt", "a", "--max-tokens", "1"]);
  expect(generated.err).not.toContain("base in");
  const evaluated = await weft(["eval", ...use, "--data", DATA, "--base", "q8", "--batch-size", "2"]);
  expect(evaluated.err).toMatch(/^base in q8, digest [0-9a-f]{64}$/m);
});
