import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportHtml } from "../../node/system/files/report-html.ts";
import { exampleRun } from "../fixtures/example-run.ts";
import { testnetReport } from "./testnet-report.ts";

const executablePath = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));

const text = (result = exampleRun()): Promise<string> => reportHtml(testnetReport(result));

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("report", () => {
  it("holds everything itself, and ends no element early by what peers say", async () => {
    const run = exampleRun();
    const evil = "</script><script>alert(1)</script><!-- \u2028";
    const all = await text({ ...run, data: evil });
    expect(all).not.toMatch(/<(script|link|img)[^>]*(?:src|href)="(?!data:)/);
    expect(all).not.toContain(evil.slice(0, 20));
    const [, inside = ""] = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(all) ?? [];
    expect(JSON.parse(inside)).toEqual(JSON.parse(JSON.stringify(testnetReport({ ...run, data: evil }))));
  });

  it("says why there is no answer where a run was cut short", () => {
    const run = exampleRun();
    const nothing = { ...run, peers: [], interrupted: true };
    expect(testnetReport(nothing).headline).toContain("interrupted before any round was done");
    expect(testnetReport(nothing).about).toContain("0 of 0 peers finished");
    const halfway = { ...run, peers: run.peers.slice(3), interrupted: true };
    expect(testnetReport(halfway).headline).toContain("interrupted before any peer had finished");
    expect(testnetReport(run).headline).toContain("nothing was trained with all data in one place");
    expect(testnetReport(run).headline).toMatch(
      /^The swarm was better than training alone for 2 of 3 peers \(mean held-out loss: alone 1\.410, swarm 1\.286\)\./,
    );
  });
});

if (!executablePath) console.log("report page tests are skipped: there is no chromium on the PATH");

describe.skipIf(!executablePath)("report page in a browser", () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-report-"));
    const file = join(folder, "report.html");
    writeFileSync(file, await text());
    const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
    const offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
    browser = await chromium.launch({ executablePath: executablePath!, args: [...quiet, ...offline] });
    page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(file).href);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("shows each peer's numbers", async () => {
    const rows = await page.locator("caption:text('Held-out scores per peer') ~ tbody tr").allInnerTexts();
    const cells = rows.map((row) => row.split(/\s*\t\s*/));
    expect(cells.map((row) => row.slice(0, 5))).toEqual([
      ["peer 1", "2.512", "1.310", "1.101", "−0.209"],
      ["peer 2", "2.612", "1.410", "1.457", "+0.047 worse"],
      ["peer 3", "2.712", "1.510", "1.301", "−0.209"],
      ["peer 4", "–", "–", "–", "–"],
    ]);
    expect(await page.locator("header").textContent()).toContain("nothing was trained with all data in one place");
    expect(await page.locator("header .alarm").allInnerTexts()).toEqual([
      expect.stringContaining("WORSE in the swarm"),
      expect.stringContaining("peer 4 was ended by SIGKILL"),
    ]);
    expect(await page.locator("pre").first().textContent()).toBe("the last words <of> peer 4 & nobody else");
  });

  it("shows base, alone and swarm over the rounds, of all peers and of one", async () => {
    const label = () => page.locator(".chart .plot").first().getAttribute("aria-label");
    expect(await label()).toMatch(/all 4 peers: swarm from .* to .*; alone from .* to .*; base from 2\.500 to 2\.500/);
    await page.getByLabel("Show").selectOption("peer 2");
    await expect.poll(label).toMatch(/peer 2: swarm from/);
    await page.getByLabel("Show").selectOption("all");
  });

  it("shows forgetting as a map of heat", async () => {
    const rows = page.locator("caption:text('Forgetting of own tasks') ~ tbody tr");
    expect(await rows.count()).toBe(4);
    expect(await rows.first().locator(".h3").textContent()).toBe("5.6");
  });

  it("draws its charts, with a label and a table for each", async () => {
    expect(await page.locator(".chart canvas").count()).toBe(3);
    for (const chart of await page.locator(".chart .plot").all()) {
      expect(await chart.getAttribute("aria-label")).toMatch(/(peer 1|swarm) from/);
      const inked = await chart.locator("canvas").evaluate((canvas) => {
        const element = canvas as unknown as { width: number; height: number; getContext(kind: "2d"): DrawnOn };
        const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
        return data.filter((value, i) => i % 4 === 3 && value > 0).length;
      });
      expect(inked).toBeGreaterThan(1000);
    }
    expect(await page.locator(".chart details tbody tr").count()).toBe(3 * 6);
  });

  it("draws them again in the colours of a dark system", async () => {
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const before = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await ground()).not.toBe(before);
    expect(await page.locator(".chart canvas").count()).toBe(3);
  });

  it("fits a narrow screen, where the table keeps the swarm and what it is better by", async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    const headings = page.locator("caption:text('Held-out scores per peer') ~ thead th:visible");
    expect(await headings.allInnerTexts()).toEqual(["peer", "swarm", "swarm − alone"]);
    const table = page.locator("table", { has: page.locator("caption:text('Held-out scores per peer')") });
    expect((await table.boundingBox())?.width).toBeLessThanOrEqual(390);
  });

  it("shows many peers as one, and no card for each", async () => {
    const run = exampleRun();
    const many = Array.from({ length: 24 }, (_, i) => ({ ...run.peers[i % 3]!, name: `peer ${i + 1}` }));
    const central = { peers: many.map(() => ({ loss: 1.05, accuracy: 0.7 })), steps: 1, seconds: 1 };
    writeFileSync(join(folder, "many.html"), await text({ ...run, peers: many, central }));
    const other = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await other.goto(pathToFileURL(join(folder, "many.html")).href);
    expect(await other.locator(".headline").textContent()).toMatch(/^The swarm went \d+ % of the way/);
    expect(await other.locator(".bars section").count()).toBe(1);
    for (const legend of await other.locator(".chart .legend").all()) {
      expect(await legend.locator("li").count()).toBeLessThanOrEqual(4);
    }
    await other.close();
  });

  it.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)("has nothing that axe finds, in %s colours and %i pixels wide", async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(axe);
    const violations = await page.evaluate(
      "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]))",
    );
    expect(violations).toEqual([]);
  });

  it("fetches nothing and reports no problem", () => {
    expect(problems).toEqual([]);
    expect(requests).toHaveLength(1);
  });
});

interface DrawnOn {
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}
