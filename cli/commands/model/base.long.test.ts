/** The digest of a base depends on the model alone: not on the process, its threads, or where its files are kept. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WEFT, watch } from "../../process.suite.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-base-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(["f16", "q8", "q4", "q4-e8"])(
  "%s has one digest in every process, with any number of threads",
  async (form) => {
    const digests = [];
    for (const threads of ["1", "2", "5"]) {
      const words = ["generate", "--prompt", "Once", "--max-tokens", "1", "--base", form, "--threads", threads];
      const env = { WEFT_CACHE: join(folder, `${form}-${threads}`), UV_THREADPOOL_SIZE: threads };
      const process = watch(globalThis.process.execPath, [WEFT, ...words], { env });
      const [, digest] = await process.said(new RegExp(`base in ${form}, digest ([0-9a-f]{64})`));
      expect(await process.ended).toBe(0);
      digests.push(digest);
    }
    expect(new Set(digests).size).toBe(1);
  },
);
