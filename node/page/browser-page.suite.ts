/** A real browser for tests of pages: where it is, how it is started, and what axe finds. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** Chromium on the PATH; undefined where there is none. */
export const executablePath = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
if (!executablePath) console.log("page tests are skipped: there is no chromium on the PATH");

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A browser that asks nobody for anything by itself. */
export async function startBrowser(): Promise<Browser> {
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  const offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return await chromium.launch({ ...(executablePath && { executablePath }), args: [...quiet, ...offline] });
}

/** What axe finds wrong with a page, each with the elements that it is about. */
export async function violationsOf(page: Page): Promise<unknown> {
  await page.evaluate(axe);
  return await page.evaluate(
    "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]))",
  );
}

/** How a page is looked at. */
export interface Look {
  readonly colorScheme: "light" | "dark";
  /** In pixels. */
  readonly width: number;
}

/** Look at a page so: it is no wider than that, and axe finds nothing wrong with it. */
export async function expectReadable(page: Page, { colorScheme, width }: Look): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 900 });
  await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  expect(await violationsOf(page)).toEqual([]);
}

/** Keep a picture of a page in docs where WEFT_PICTURES is set. */
export async function picture(page: Page, name: string): Promise<void> {
  const docs = join(import.meta.dirname, "..", "..", "docs");
  if (process.env.WEFT_PICTURES) await page.screenshot({ path: join(docs, name), fullPage: true });
}
