/**
 * The README's picture: a testnet is run as `npm start` runs it, and the top of its report is drawn in Chromium; the whole of it
 * at two widths is kept beside.
 * Usage: npm run picture [-- REPORT.html]; with a report of an earlier run, no testnet is run.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

/** Pixels of the picture: two of them for each pixel of the page, so that text is sharp. */
const VIEW = { width: 1000, height: 900 };
/** No driver of a display, no traffic of the browser's own. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

const repository = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "weft-picture-"));
try {
  const given = process.argv[2];
  const report = given === undefined ? join(folder, "report.html") : resolve(given);
  if (given === undefined) {
    const testnet = [join(repository, "cli", "weft.js"), "testnet", "--report", report];
    execFileSync(process.execPath, testnet, { stdio: "inherit", cwd: folder });
  }
  const executablePath = execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await browser.newPage({ viewport: VIEW, deviceScaleFactor: 2, colorScheme: "light" });
    await page.goto(pathToFileURL(report).href);
    await page.screenshot({ path: join(repository, "docs", "report.png") });
    // The whole report, as wide screens and phones show it.
    for (const width of [1280, 390]) {
      const whole = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: "light" });
      await whole.goto(pathToFileURL(report).href);
      await whole.screenshot({ path: join(repository, "docs", `page-report-${width}.png`), fullPage: true });
    }
  } finally {
    await browser.close();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
