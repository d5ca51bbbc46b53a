import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exampleRun } from "../fixtures/example-run.ts";
import { escapeHtml, html, scriptJson } from "./html.ts";
import { renderReport } from "./report.ts";

const executablePath = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));

describe("html", () => {
  it("escapes what is put in, and only once", () => {
    const inner = html`<b>${"<i>&\"'"}</b>`;
    expect(html`<p title="${'"x"'}">${inner}${[1, html`<br>`]}${undefined}${false}</p>`.text).toBe(
      '<p title="&#34;x&#34;"><b>&#60;i&#62;&#38;&#34;&#39;</b>1<br></p>',
    );
    expect(escapeHtml("a & b")).toBe("a &#38; b");
  });

  it("writes JSON that cannot end its script", () => {
    const value = { text: "</script><!-- \u2028" };
    const { text } = scriptJson(value);
    expect(text).not.toContain("<");
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("report", () => {
  it("holds everything itself and escapes what peers say", () => {
    const text = renderReport(exampleRun());
    expect(text).not.toMatch(/(?:src|href)=/);
    expect(text).toContain("the last words &#60;of&#62; peer 4 &#38; nobody else");
    expect(text).not.toContain("<of>");
  });

  it("can be made of a run in which nothing happened", () => {
    const run = exampleRun();
    expect(renderReport({ ...run, peers: [], interrupted: true })).toContain("0 of 0 peers finished");
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
    writeFileSync(file, renderReport(exampleRun()));
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
  });

  it("draws its charts, with a label and a table for each", async () => {
    expect(await page.locator(".chart canvas").count()).toBe(3);
    for (const chart of await page.locator(".chart").all()) {
      expect(await chart.getAttribute("aria-label")).toContain("peer 1 from");
      const inked = await chart.locator("canvas").evaluate((canvas) => {
        const element = canvas as unknown as { width: number; height: number; getContext(kind: "2d"): DrawnOn };
        const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
        return data.filter((value, i) => i % 4 === 3 && value > 0).length;
      });
      expect(inked).toBeGreaterThan(1000);
    }
    expect(await page.locator(".chart + details tbody tr").count()).toBe(3 * 6);
  });

  it("draws them again in the colours of a dark system", async () => {
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const before = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await ground()).not.toBe(before);
    expect(await page.locator(".chart canvas").count()).toBe(3);
  });

  it("fits a narrow screen", async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(400);
  });

  it("fetches nothing and reports no problem", () => {
    expect(problems).toEqual([]);
    expect(requests).toHaveLength(1);
  });
});

interface DrawnOn {
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}
