import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openKey, peerOfBackup, readPassphraseFile, STRETCH_DEFAULTS, sealKey } from "./key-backup.ts";

/** Cheap: what is tested is the sealing, not how long it takes. */
const CHEAP = { n: 16, r: 8, p: 1 };
const SEED = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const PASSPHRASE = "correct horse battery staple";

describe("a backup of a key", () => {
  it("opens with its passphrase, typed on whichever keyboard", () => {
    const text = sealKey(SEED, "caf\u00e9 caf\u00e9 caf\u00e9", CHEAP);
    expect(openKey(text, "cafe\u0301 cafe\u0301 cafe\u0301")).toEqual(SEED);
    expect(peerOfBackup(text)).toMatch(/^12D3KooW/);
    expect(text).not.toContain(Buffer.from(SEED).toString("hex"));
  });

  it("takes 128 MiB of memory to try a passphrase, and never seals twice alike", () => {
    expect(128 * STRETCH_DEFAULTS.n * STRETCH_DEFAULTS.r).toBe(128 * 2 ** 20);
    const text = sealKey(SEED, PASSPHRASE);
    expect(JSON.parse(text).stretch).toMatchObject({ kind: "scrypt", n: 131_072, r: 8, p: 1 });
    expect(openKey(text, PASSPHRASE)).toEqual(SEED);
    expect(JSON.parse(sealKey(SEED, PASSPHRASE, CHEAP)).sealed).not.toBe(
      JSON.parse(sealKey(SEED, PASSPHRASE, CHEAP)).sealed,
    );
  });

  it("does not open with another passphrase", () => {
    expect(() => openKey(sealKey(SEED, PASSPHRASE, CHEAP), `${PASSPHRASE} `)).toThrow(/the passphrase is not the one/);
  });

  it("does not open when any value in it was changed", () => {
    const text = sealKey(SEED, PASSPHRASE, CHEAP);
    // What JSON does not read as a value (its layout) is nobody's business.
    const places = [...text.matchAll(/[0-9A-Za-z]/g)].map(({ index }) => index);
    const accepted: string[] = [];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.constantFrom(..."0123456789abcdefZ"), (place, letter) => {
        const changed = text.slice(0, place) + letter + text.slice(place + 1);
        if (changed === text) return;
        try {
          openKey(changed, PASSPHRASE);
          accepted.push(changed);
        } catch (error) {
          expect(error, changed).toMatchObject({ code: "KEY_FILE" });
        }
      }),
      { numRuns: 300 },
    );
    expect(accepted).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ["no JSON", "weft1abc", /not JSON/],
    ["another file", '{"schema":"weft-genesis/1"}', /it is none/],
    ["a later version", '{"schema":"weft-key-backup/2"}', /version/],
    ["too long a file", " ".repeat(5000), /too long/],
    ["one that asks for 128 GiB", sealKey(SEED, PASSPHRASE, CHEAP).replace('"n": 16', '"n": 134217728'), /more memory/],
  ])("refuses %s in a line", (_, text, reason) => {
    expect(() => openKey(text, PASSPHRASE)).toThrow(reason);
  });

  it.each([
    ["", /at least 12/],
    ["short", /at least 12/],
    ["x".repeat(1025), /at most 1024/],
  ])("does not seal with %j", (passphrase, reason) => {
    expect(() => sealKey(SEED, passphrase, CHEAP)).toThrow(reason);
  });
});

describe("a passphrase file", () => {
  it("is read without its last newline, and refused where others may read it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "weft-passphrase-"));
    try {
      const path = join(folder, "passphrase");
      await writeFile(path, `${PASSPHRASE}\n`, { mode: 0o600 });
      expect(await readPassphraseFile(path)).toBe(PASSPHRASE);
      await chmod(path, 0o640);
      if (process.platform !== "win32") await expect(readPassphraseFile(path)).rejects.toThrow(/may be read by others/);
      await expect(readPassphraseFile(join(folder, "none"))).rejects.toThrow(/there is no passphrase file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
