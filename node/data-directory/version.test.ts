/** Directories of released versions open, and those of other versions are left as they are. */
import { createHash } from "node:crypto";
import { globSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { networkId, parseManifest } from "../../protocol/network-manifest.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { createLogger } from "../system/platform/log.ts";
import { RELEASED, unpacked } from "./fixtures.suite.ts";
import { dataDirectoryLayout } from "./layout.ts";
import { openDirectory, openPeerDirectory } from "./open.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What every file of the folder holds. */
const contents = (): ReadonlyMap<string, string> =>
  new Map(
    globSync("**", { cwd: folder })
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      ]),
  );

describe.each(RELEASED)("a directory that weft %s left", (version) => {
  it.each(["as it is", "without its file of the version"])(
    "is opened %s, with its key, its store and its checkpoint",
    async (form) => {
      folder = unpacked(version);
      const layout = dataDirectoryLayout(folder);
      if (form !== "as it is") rmSync(layout.version, { force: true });
      const { signer, directory } = await openPeerDirectory(folder, { key: "there" });
      try {
        expect(signer.peer).toMatch(/^12D3KooW/);
        const keys: string[] = [];
        for await (const [key] of (await directory.store()).entries("")) keys.push(key);
        expect(keys.length).toBeGreaterThan(2);
        const logger = createLogger({ level: "error", fields: {} });
        const checkpoint = await createCheckpointFiles({ logger }, { folder: layout.checkpoints }).load();
        const manifest = parseManifest(JSON.parse(readFileSync(layout.network, "utf8")));
        expect(checkpoint?.state).toMatchObject({ network: networkId(manifest) });
      } finally {
        await directory.close();
      }
      expect(readFileSync(layout.version, "utf8")).toBe("weft data 1\n");
    },
  );
});

describe("a directory of another version", () => {
  it.each([
    ["a newer one", "weft data 2\n", /they have version 2, this weft reads version 1/],
    ["none that anybody knows", "something else", /its file "version" names none/],
    ["an empty word", "", /its file "version" names none/],
  ])("(%s) is refused in words and left as it is", async (_, text, words) => {
    folder = unpacked("0.1.0");
    writeFileSync(join(folder, "version"), text);
    const before = contents();
    for (const open of [() => openDirectory(folder), () => openPeerDirectory(folder, { key: "make" })]) {
      await expect(open()).rejects.toThrow(words);
      await expect(open()).rejects.toMatchObject({ code: "DATA_DIRECTORY", facts: { problem: "another-version" } });
    }
    expect(contents()).toEqual(before);
  });
});
