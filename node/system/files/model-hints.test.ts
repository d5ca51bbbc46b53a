import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSafetensors } from "../../model/safetensors.ts";
import { tokenizerOfFiles } from "../../model/tokenizer.ts";
import { readModelFiles } from "./model-files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-hints-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function make(files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

describe("a folder that is no model says what it is, and what to give instead", () => {
  it.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ["an adapter", { "adapter_config.json": "{}" }, "holds an adapter and no model"],
    ["the Hub's cache", { "refs/main": "abc\n", "snapshots/abc/config.json": "{}" }, "give the model in it, "],
    ["a GGUF file", { "model-Q4_0.gguf": "GGUF" }, "has no config.json, but model-Q4_0.gguf; give that file"],
    ["a folder around it", { "final/config.json": "{}", "logs/x": "" }, "give the model in it, "],
    ["a folder around several", { "a/config.json": "{}", "b/config.json": "{}" }, "one of the models in it: a, b"],
    ["the Hub's cache without a name", { "snapshots/abc/config.json": "{}" }, "give the model in it, "],
    ["nothing", { "notes.txt": "" }, "a model directory holds config.json"],
    ["a pickle", { "config.json": "{}", "pytorch_model.bin": "" }, "pytorch_model.bin is pickles of PyTorch"],
    ["only a trainer's pickle", { "config.json": "{}", "training_args.bin": "" }, "file with weights"],
    ["ONNX", { "config.json": "{}", "onnx/model.onnx": "" }, "onnx is an ONNX file; give that file itself"],
    ["TensorFlow", { "config.json": "{}", "tf_model.h5": "" }, "tf_model.h5 is a file of TensorFlow"],
    ["another name", { "config.json": "{}", "consolidated.safetensors": "" }, "safetensors of another name"],
  ])("%s", (_, files, text) => {
    make(files);
    expect(() => readModelFiles(folder)).toThrow(
      expect.objectContaining({ code: "MODEL_MISSING", message: expect.stringContaining(text) }),
    );
  });

  it("a file", () => {
    make({ "model.pt": "PK" });
    expect(() => readModelFiles(join(folder, "model.pt"))).toThrow("is a file and no GGUF or ONNX model");
  });

  it("a pointer of Git LFS", () => {
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n");
    expect(() => readSafetensors(pointer, { name: "m" })).toThrow(
      "m: this is a pointer of Git LFS and not the weights",
    );
  });

  it.each([
    ["PK\u0003\u0004weights", "a pickle of PyTorch under the name of a safetensors file"],
    ["GGUF\u0003\0\0\0", "a GGUF file under the name of a safetensors file"],
    ["<!DOCTYPE html>", "the answer of a server that had not the file"],
    ['{"error":"Repository not found"}', "the answer of a server that had not the file"],
  ])("another file by the name of one of safetensors: %j", (content, text) => {
    expect(() => readSafetensors(new TextEncoder().encode(content), { name: "m" })).toThrow(`m: this is ${text}`);
  });

  it("a tokenizer of the older form", () => {
    const at = { directory: "m", config: {}, shards: [] };
    expect(() => tokenizerOfFiles({ ...at, tokenizerHint: "vocab.json alone is not read" })).toThrow(
      "m/tokenizer.json is missing; vocab.json alone is not read",
    );
    expect(() => tokenizerOfFiles(at)).toThrow("m/tokenizer.json is missing; copy it");
  });
});
