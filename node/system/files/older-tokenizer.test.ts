/** A model directory whose tokenizer is made of older files: what is read, what is watched, what is copied. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { modelDigest } from "../../model/huggingface.ts";
import { tokenizerOfFiles } from "../../model/tokenizer.ts";
import { copyCompanions } from "./adapter-files.ts";
import { missingModelFiles, modelFilesStamp, readModelFiles } from "./model-files.ts";

const root = mkdtempSync(join(tmpdir(), "weft-older-tokenizer-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const temporaryFolder = (): string => mkdtempSync(join(root, "model-"));

const BASE = join(import.meta.dirname, "../../model/cases/base-llama");
const OLDER = join(import.meta.dirname, "../../model/golden/vocabularies");

/** A model with the older files of one kind. */
function folderOf(kind: string, names: readonly string[]): string {
  const folder = temporaryFolder();
  copyFileSync(join(BASE, "model.safetensors"), join(folder, "model.safetensors"));
  for (const name of names) copyFileSync(join(OLDER, kind, name), join(folder, name));
  const config = JSON.parse(readFileSync(join(BASE, "config.json"), "utf8"));
  const { model_type: type } = JSON.parse(readFileSync(join(OLDER, kind, "config.json"), "utf8"));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, model_type: type }));
  return folder;
}

const KINDS = [
  ["opt", ["vocab.json", "merges.txt", "tokenizer_config.json"], "vocab.json"],
  ["bert", ["vocab.txt"], "vocab.txt"],
  ["llama", ["tokenizer.model", "tokenizer_config.json"], "tokenizer.model"],
  ["deberta-v2", ["spm.model", "tokenizer_config.json"], "spm.model"],
  ["xlm-roberta", ["sentencepiece.bpe.model"], "sentencepiece.bpe.model"],
] as const;

it.each(KINDS)(
  "of %s is whole without tokenizer.json; its digest, its stamp and its copies are with those files",
  async (kind, names, main) => {
    const folder = folderOf(kind, names);
    expect(missingModelFiles(folder)).toEqual({});
    const files = readModelFiles(folder);
    const ids = tokenizerOfFiles(files).encode("the little girl");
    expect(ids.length).toBeGreaterThan(2);
    const digest = modelDigest(files);
    // The same files as a tokenizer.json are the same tokenizer.
    const written = temporaryFolder();
    for (const name of [...names, "config.json", "model.safetensors"])
      copyFileSync(join(folder, name), join(written, name));
    writeFileSync(join(written, "tokenizer.json"), files.tokenizer!);
    expect(modelDigest(readModelFiles(written))).toEqual(digest);

    const to = join(temporaryFolder(), "to");
    mkdirSync(to);
    expect(await copyCompanions(folder, to)).toEqual([...names].toSorted());

    const stamp = modelFilesStamp(folder);
    rmSync(join(folder, main));
    expect(modelFilesStamp(folder)).not.toBe(stamp);
    if (kind !== "opt") expect(missingModelFiles(folder)).toEqual({ tokenizer: ["tokenizer.json"] });
    expect(() => tokenizerOfFiles(readModelFiles(folder))).toThrow("tokenizer.json is missing");
  },
);

it("says what it has instead, where nothing can be made of it", () => {
  const folder = folderOf("opt", []);
  writeFileSync(join(folder, "qwen.tiktoken"), "");
  expect(() => tokenizerOfFiles(readModelFiles(folder))).toThrow(
    "tokenizer.json is missing; qwen.tiktoken is not read; AutoTokenizer",
  );
  writeFileSync(join(folder, "vocab.json"), "{");
  const files = readModelFiles(folder);
  // Who needs no tokenizer reads such a folder.
  expect(files.config).toMatchObject({ model_type: "opt" });
  expect(() => tokenizerOfFiles(files)).toThrow("none can be made of the other files: vocab.json is no valid JSON");
});
