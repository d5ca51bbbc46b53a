import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isReadOnce } from "./data-bytes.ts";
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
  (await shardsOf(folder)).paths.map(({ file, set = "" }) => `${file.slice(folder.length + 1)} ${set}`.trim());

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

  it("are those of the snapshot in a folder of the Hub's cache, behind its links", async () => {
    make(
      "hub/refs/main",
      "hub/blobs/aa",
      "hub/blobs/bb",
      "hub/snapshots/f00/README.md",
      "hub/snapshots/old/train.jsonl",
    );
    writeFileSync(join(folder, "hub/refs/main"), "f00");
    mkdirSync(join(folder, "hub/snapshots/f00/data"));
    for (const [set, blob] of [
      ["train", "aa"],
      ["test", "bb"],
    ]) {
      symlinkSync(`../../../blobs/${blob}`, join(folder, `hub/snapshots/f00/data/${set}-00000-of-00001.jsonl`));
    }
    const inside = "hub/snapshots/f00/data";
    expect(await found()).toEqual([
      `${inside}/test-00000-of-00001.jsonl test`,
      `${inside}/train-00000-of-00001.jsonl train`,
    ]);
    symlinkSync("hub/snapshots/f00/data", join(folder, "train"));
    expect((await shardsOf(join(folder, "train"))).paths).toHaveLength(2);
  });

  it("are warned of where shards are missing, or a text stands beside rows; texts about the folder are passed over", async () => {
    make("train-00000-of-00003.jsonl", "README.txt", "requirements.txt");
    expect(await found()).toEqual(["train-00000-of-00003.jsonl"]);
    make("notes.txt");
    expect((await shardsOf(folder)).warnings).toEqual([
      `${folder} has 1 of 3 shards, by their names; the rows of the others are missing`,
      `${folder} has running text (notes.txt) beside files of rows; both are trained on`,
    ]);
  });

  it("may be a pipe, which is read once", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(await isReadOnce(pipe)).toBe(true);
    const [records] = await Promise.all([readDataFile(pipe), writeFile(pipe, '{"prompt":"q","response":"a"}\n')]);
    expect(records).toHaveLength(1);
  });

  it("are refused where there is no saying which are meant", async () => {
    make("README.md");
    await expect(found()).rejects.toThrow("a folder without shards of data");
    make("english/a.jsonl", "german/a.jsonl");
    await expect(found()).rejects.toThrow("several folders that have some: english, german; give one of them");
  });
});
