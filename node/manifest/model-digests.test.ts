import { cp, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as huggingface from "../model/huggingface.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { createNetwork } from "./create-network.ts";
import { checkModel } from "./model-check.ts";
import { ModelDigests } from "./model-digests.ts";
import { searchModel } from "./model-search.ts";
import { verifyModel } from "./verify-model.ts";

vi.mock("../model/huggingface.ts", async (original) => {
  const real = await original<typeof huggingface>();
  return { ...real, modelDigest: vi.fn(real.modelDigest) };
});
const computed = vi.mocked(huggingface.modelDigest);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-digests-"));
  await cp(embeddedModelDirectory(), folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

test("all that a start asks about a model reads its weights once", () => {
  const adapter = { kind: "loreft", rank: 1, layers: [0], positions: { first: 1, last: 1, tied: true } } as const;
  const manifest = createNetwork({ name: "hearts", modelDirectory: folder, adapter, seed: 1 });
  computed.mockClear();
  const digests = new ModelDigests();
  expect(checkModel(manifest, folder, digests).isRight).toBe(true);
  expect(searchModel(manifest, [folder], digests).needs).toEqual([]);
  const { files, digest } = digests.read(folder);
  verifyModel(manifest, files, digest);
  expect(computed).toHaveBeenCalledTimes(1);
});

test.each([
  ["written", async (file: string) => writeFile(file, `${await readFile(file, "utf8")} `)],
  ["touched", (file: string) => utimes(file, 1, 1)],
] as const)("a directory of which a file was %s is read again", async (_, change) => {
  const digests = new ModelDigests();
  const before = digests.read(folder).digest;
  computed.mockClear();
  expect(digests.read(folder).digest).toBe(before);
  await change(join(folder, "tokenizer.json"));
  const after = digests.read(folder).digest;
  expect(computed).toHaveBeenCalledTimes(1);
  expect(after.weights).toBe(before.weights);
  expect(after).toEqual(huggingface.modelDigest(digests.read(folder).files));
});
