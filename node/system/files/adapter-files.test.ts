import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyCompanions, prepareOutputFolder, readAdapterFolder, writeFolder, writePieces } from "./adapter-files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-adapter-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (...names: string[]) => join(folder, ...names);
const fails = (code: string, text: string) => expect.objectContaining({ code, message: expect.stringContaining(text) });

describe("adapter folders", () => {
  it("are read back as written, and nothing else of them", async () => {
    const files = new Map([
      ["adapter.json", Uint8Array.of(1)],
      ["intkey_layer_0_comp_block_output_unit_pos_nunit_1#0.bin", Uint8Array.of(2, 3)],
    ]);
    await prepareOutputFolder(at("new", "deep"));
    await writeFolder(at("new", "deep"), files);
    await writeFile(at("new", "deep", "README.md"), "x");
    await writeFile(at("new", "deep", "model.safetensors"), "x");
    const read = await readAdapterFolder(at("new", "deep"));
    expect([...read].map(([name, bytes]) => [name, [...bytes]])).toEqual(
      [...files].map(([name, bytes]) => [name, [...bytes]]),
    );
  });

  it("are never written over", async () => {
    await prepareOutputFolder(at("empty"));
    await prepareOutputFolder(at("empty"));
    await writeFile(at("empty", "mine.txt"), "x");
    await expect(prepareOutputFolder(at("empty"))).rejects.toEqual(fails("ADAPTER_FILE", "not empty"));
  });

  it("are refused where there are none", async () => {
    await expect(readAdapterFolder(at("none"))).rejects.toEqual(fails("ADAPTER_FILE", "there is no folder"));
    await writeFile(at("file"), "x");
    await expect(readAdapterFolder(at("file"))).rejects.toEqual(fails("ADAPTER_FILE", "no folder that can be read"));
    await mkdir(at("dir", "adapter.json"), { recursive: true });
    await expect(readAdapterFolder(at("dir"))).rejects.toEqual(fails("ADAPTER_FILE", "cannot be read (EISDIR)"));
  });
});

describe("model folders", () => {
  it("get their weights piece by piece, or not at all", async () => {
    await writePieces(at("w"), [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    expect([...(await readFile(at("w")))]).toEqual([1, 2, 3]);
    const broken = (function* () {
      yield Uint8Array.of(9);
      throw new RangeError("the source ended");
    })();
    await expect(writePieces(at("w"), broken)).rejects.toThrow("the source ended");
    expect([...(await readFile(at("w")))]).toEqual([1, 2, 3]);
    expect(await readdir(folder)).toEqual(["w"]);
    await expect(writePieces(at("none", "w"), [])).rejects.toEqual(fails("DATA_DIRECTORY", "there is no such folder"));
  });

  it("get the tokenizer and settings of generation, and no weights", async () => {
    for (const name of [
      "tokenizer.json",
      "merges.txt",
      "generation_config.json",
      "config.json",
      "model.safetensors",
      "x.py",
    ]) {
      await mkdir(at("from"), { recursive: true });
      await writeFile(at("from", name), name);
    }
    await mkdir(at("to"));
    const copied = ["generation_config.json", "merges.txt", "tokenizer.json"];
    expect(await copyCompanions(at("from"), at("to"))).toEqual(copied);
    expect((await readdir(at("to"))).toSorted()).toEqual(copied);
  });

  it("give no file away that a name of theirs leads to, and take those of Hugging Face's cache", async () => {
    await mkdir(at("hub", "snapshots", "abc"), { recursive: true });
    await mkdir(at("hub", "blobs"));
    await mkdir(at("to"));
    await writeFile(at("hub", "blobs", "1234"), "{}");
    await writeFile(at("id_rsa"), "secret");
    const model = at("hub", "snapshots", "abc");
    await symlink("../../blobs/1234", join(model, "tokenizer.json"));
    expect(await copyCompanions(model, at("to"))).toEqual(["tokenizer.json"]);
    for (const target of [at("id_rsa"), "../../../id_rsa", "../../../hub", "/dev/zero", "nowhere"]) {
      await symlink(target, join(model, "vocab.txt"));
      await expect(copyCompanions(model, at("to")), target).rejects.toEqual(
        fails("MODEL_CONFIG", "no file of this model"),
      );
      await rm(join(model, "vocab.txt"));
    }
    expect(await readdir(at("to"))).toEqual(["tokenizer.json"]);
  });
});
