/** Small files of a model directory that cannot be read or are no JSON: one line says what they are and what to do. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelJson, readModelFile } from "./model-file.ts";
import { readModelFiles } from "./model-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-file-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a file of a model", () => {
  it("that is a link to nowhere, as of a download that is not complete, is refused", () => {
    const model = mkdtempSync(join(folder, "model-"));
    symlinkSync("../blobs/0123", join(model, "config.json"));
    expect(() => readModelFiles(model)).toThrow(/config.json is a link that leads nowhere; get the file/);
    symlinkSync("loop", join(model, "loop"));
    expect(() => readModelFile(join(model, "loop"))).toThrow("leads to itself");
    expect(() => readModelFile(folder)).toThrow("is a folder and should be a file");
  });

  it.each([
    ["", "it is empty"],
    ["<!DOCTYPE html>", "it is a web page"],
    ["version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"],
    ['{"a": "NaN",\n"b": NaN}', "NaN in line 2 is Python's"],
    ['{"a": -Infinity}', "-Infinity in line 1 is Python's"],
    ['{\n// mine\n"a": 1}', "a comment stands in line 2"],
    ['{"a": "//",\n"b": 1,}', "something is wrong in line 2"],
    ['{"a": 1', "something is wrong"],
  ])("of the text %j is refused because %s", (text, why) => {
    expect(() => modelJson("config.json", new TextEncoder().encode(text))).toThrow(
      `config.json is not valid JSON: ${why}`,
    );
  });

  it("that begins with a mark of UTF-8 is read", () => {
    writeFileSync(join(folder, "bom.json"), '\uFEFF{"a": 1}');
    expect(modelJson("x", readModelFile(join(folder, "bom.json")))).toEqual({ a: 1 });
    expect(() => modelJson("x", new Uint8Array([0xff, 0xfe, 0x7b, 0]))).toThrow("it is not UTF-8");
  });
});
