/** What the package carries of the page is what its source builds. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("the page imports its own files, types of node/interface and its words for peers and counts, and what is built into it", async () => {
  const browser = join(import.meta.dirname, "browser");
  const names = (await readdir(browser)).filter((name) => /\.tsx?$/.test(name));
  expect(names.length).toBeGreaterThan(8);
  const wrong: string[] = [];
  for (const name of names) {
    const text = await readFile(join(browser, name), "utf8");
    for (const [line, , from = ""] of text.matchAll(/^(?:import|export)\b([^;=]*?)"([^"]+)";$/gm)) {
      const isType = /^import type\b/.test(line) && from.startsWith("../../interface/");
      // How peers and counts are written is said in one place.
      const isWords = /^\.\.\/\.\.\/(interface\/peer-names|\.\.\/protocol\/counted)\.ts$/.test(from);
      if (!isType && !isWords && !/^\.\/[\w-]+\.(tsx?|css)$|^preact(\/hooks)?$|^uplot(\/|$)/.test(from))
        wrong.push(`${name}: ${line}`);
    }
  }
  expect(wrong).toEqual([]);
});

it("node/page/built is built from node/page/browser (npm run page writes it)", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weft-built-"));
  try {
    const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin", "vite.js");
    const words = ["build", "-c", join(import.meta.dirname, "vite.config.ts"), "--outDir", folder];
    // A test's own environment would have it built for developing.
    const { NODE_ENV: _, VITEST: __, ...env } = process.env;
    await promisify(execFile)(process.execPath, [vite, ...words], { env });
    const built = join(import.meta.dirname, "built");
    const names = (await readdir(built)).sort();
    expect((await readdir(folder)).sort()).toEqual(names);
    for (const name of names) {
      const [now, kept] = await Promise.all([folder, built].map((one) => readFile(join(one, name), "utf8")));
      expect([name, now === kept]).toEqual([name, true]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
