/** A model whose weights are no numbers is refused, in a line, by what measures and by what trains. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { weft } from "../command.suite.ts";

const EMBEDDED = join(import.meta.dirname, "../../node/model/embedded");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-unsound-"));
  cpSync(EMBEDDED, join(folder, "model"), { recursive: true });
  const file = join(folder, "model/model.safetensors");
  copyFileSync(join(EMBEDDED, "model.safetensors"), file);
  const bytes = readFileSync(file);
  // The last values of the file: all bits of their exponents are set.
  bytes.fill(0xff, bytes.length - 64);
  writeFileSync(file, bytes);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([["eval"], ["train", "--steps", "1", "--out", "OUT"]])("%s", async (...words) => {
  const model = join(folder, "model");
  const line = words.map((word) => (word === "OUT" ? join(folder, "out") : word));
  const { code, out, err } = await weft([...line, "--model", model, "--threads", "1", "--batch-size", "16"]);
  expect([code, out, err]).toEqual([2, "", expect.stringMatching(/weft: .*the loss is not a number.* damaged/)]);
});
