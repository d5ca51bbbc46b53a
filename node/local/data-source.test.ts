import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { loadExamples } from "./data-source.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-data-"));
});
afterEach(() => rm(folder, { recursive: true }));

const row = (fields: object) => `${JSON.stringify({ prompt: "a b c", response: "d e f", ...fields })}\n`;
const load = (file: string, part = { index: 0, count: 1 }) =>
  loadExamples({ file, part, seed: 1, modelDirectory: embeddedModelDirectory(), maxTokens: 32, batchSize: 2 });

it.each([
  ["too few examples", row({}), { index: 0, count: 1 }, "DATA_TOO_SMALL", "there are 1 examples"],
  ["a set of no known name", row({ set: "tran" }), { index: 0, count: 1 }, "DATA_FORMAT", 'set is "tran"'],
  ["too few records for the peers", row({}), { index: 0, count: 3 }, "DATA_TOO_SMALL", "1 records are too few"],
  ["a row that is not JSON", "{\n", { index: 0, count: 1 }, "DATA_FORMAT", ":1: "],
])("begins the line about %s with the file, once", async (_, text, part, code, what) => {
  const file = join(folder, "alice.jsonl");
  await writeFile(file, text);
  const error = await load(file, part).catch((cause: Error) => cause);
  expect(error).toMatchObject({ code, message: expect.stringContaining(what) });
  expect((error as Error).message.split(file)).toHaveLength(2);
  expect((error as Error).message.indexOf(file)).toBe(0);
});
