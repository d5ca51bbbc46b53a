import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDataFile } from "./data-files.ts";
import { shardsOf } from "./data-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function make(...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), '{"prompt":"q","response":"a"}\n');
  }
}
const found = async (): Promise<readonly string[]> =>
  (await shardsOf(folder)).map(({ file, set = "" }) => `${file.slice(folder.length + 1)} ${set}`.trim());

describe("the files of a folder", () => {
  it("are its shards, without what describes them, repeats them or is hidden", async () => {
    make("b.jsonl", "a.csv", "README.md", ".c.jsonl", "state.json", "dataset_info.json", "cache-1f.arrow");
    expect(await found()).toEqual(["a.csv", "b.jsonl"]);
  });

  it("belong to sets where all names say so, and say different ones", async () => {
    make("train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl");
    expect(await found()).toEqual(["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"]);
    make("test-00000-of-00001.jsonl");
    expect(await found()).toEqual([
      ...["test-00000-of-00001.jsonl test", "train-00000-of-00002.jsonl train", "train-00001-of-00002.jsonl train"],
    ]);
    expect((await readDataFile(folder)).map(({ fields }) => fields.set)).toEqual(["test", "train", "train"]);
    make("more.jsonl");
    expect((await found()).join()).not.toContain(" ");
  });

  it("are those of the folder within: as the Hub and save_to_disk lay them", async () => {
    make("README.md", "data/train-0.jsonl", "data/validation-0.jsonl");
    expect(await found()).toEqual(["data/train-0.jsonl train", "data/validation-0.jsonl validation"]);
    rmSync(join(folder, "data"), { recursive: true });
    make("dataset_dict.json", "train/data-0.jsonl", "test/data-0.jsonl");
    expect(await found()).toEqual(["test/data-0.jsonl test", "train/data-0.jsonl train"]);
  });

  it("are the channels of a Slack workspace", async () => {
    make("channels.json", "users.json", "general/2024-03-01.json", "talk/2024-03-01.json");
    expect(await found()).toEqual(["general/2024-03-01.json", "talk/2024-03-01.json"]);
  });

  it("are notes where there is nothing else", async () => {
    make("README.md", "one.md", ".obsidian/app.json");
    expect(await found()).toEqual(["one.md"]);
  });

  it("are refused where there is no saying which are meant", async () => {
    make("README.md");
    await expect(found()).rejects.toThrow("a folder without shards of data");
    make("english/a.jsonl", "german/a.jsonl");
    await expect(found()).rejects.toThrow("several folders that have some: english, german; give one of them");
  });
});
