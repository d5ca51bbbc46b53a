import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { goldenDirectories, goldenDirectory, goldenNames, openGolden } from "./golden-models.suite.ts";

describe("golden directories", () => {
  let folder: string;
  beforeEach(() => {
    vi.stubEnv("WEFT_GOLDENS", undefined);
    folder = mkdtempSync(join(tmpdir(), "weft-goldens-"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  it("are of several shapes, so that no test can take one depth for granted", () => {
    const goldens = goldenNames().map(openGolden);
    expect(new Set(goldens.map(({ model }) => model.shape.layers)).size).toBeGreaterThan(2);
    expect(goldens.some(({ lora }) => lora.layers !== "all")).toBe(true);
    expect(goldens.some(({ loreft, model }) => loreft.layers.length < model.shape.layers)).toBe(true);
  });

  it("are those of WEFT_GOLDENS too, each found by being there", () => {
    const own = goldenNames();
    for (const name of ["one", "two"]) cpSync(goldenDirectory("llama"), join(folder, name), { recursive: true });
    mkdirSync(join(folder, "no golden"));
    vi.stubEnv("WEFT_GOLDENS", folder);
    expect(goldenNames()).toEqual([...own, "WEFT_GOLDENS/one", "WEFT_GOLDENS/two"]);
    expect(openGolden("WEFT_GOLDENS/two").meta).toEqual(openGolden("llama").meta);
    vi.stubEnv("WEFT_GOLDENS", join(folder, "one"));
    expect(goldenDirectories().get("WEFT_GOLDENS/one")).toBe(join(folder, "one"));
  });

  it("refuse a folder that has none, instead of testing nothing", () => {
    vi.stubEnv("WEFT_GOLDENS", folder);
    expect(() => goldenNames()).toThrow(`no folder in ${folder} has a golden.json`);
  });
});
