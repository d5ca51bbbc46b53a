/** The page of a running peer in a real browser.  Run by `npm run test:page`; WEFT_PICTURES=1 keeps its pictures in docs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ExamplePeer,
  exampleLink,
  examplePeer,
  OTHER,
  SELF,
  summaryOf,
  tellStart,
} from "../admin/example-peer.suite.ts";
import type { ServedAdmin } from "../admin/listen-in.ts";
import { AdminInterface } from "../admin/serve-admin.ts";
import { executablePath, expectReadable, picture, startBrowser, violationsOf } from "./browser-page.suite.ts";

const MOTION = "3f9a01c2d4e5f60718293a4b5c6d7e8f3f9a01c2d4e5f60718293a4b5c6d7e8f";
const CANDIDATE = "12D3KooWCandidate";

const motion = {
  id: MOTION,
  statement: { kind: "admit", subject: CANDIDATE, role: "trainer" },
  request: { candidate: CANDIDATE, label: "hospital-4", fingerprint: "48213 90127 55310 07764" },
  ...{ approvedBy: [], deniedBy: [], isDeclinedHere: false, threshold: 1 },
};
const member = (peer: string, role: string) => ({
  ...{
    peer,
    role,
    notBefore: 0,
    notAfter: 2_000_000_000,
    isFounder: true,
    standing: "member",
    isConnected: peer === OTHER,
  },
});
const members = {
  ...{ kind: "members", network: "n", admins: [SELF], policy: {}, entryCount: 2, digest: "d", removed: [], barred: [] },
  self: { peer: SELF, role: "admin", standing: "member" },
  members: [member(SELF, "admin"), member(OTHER, "trainer")],
};

const OTHERS = [OTHER, "12D3KooWx7Kq2P", "12D3KooWm4Zt9A", "12D3KooWh1Lw6e", "12D3KooWc8Rv3N"];
const LINKS = OTHERS.map((peer, i) =>
  exampleLink({ peer, roundTripMs: 3 + 17 * i, isRelayed: i === 3, direction: i % 2 === 0 ? "outbound" : "inbound" }),
);

/** A round of a peer that learns with five others. */
function tellRound(peer: ExamplePeer, round: number): void {
  const learnt = 1 + 2.4 * 0.78 ** round;
  peer.tell({ type: "step", round, step: 20, steps: 20, loss: learnt, phase: "swarm" });
  for (const from of OTHERS) peer.tell({ type: "update", round, from, verdict: "accept", code: "ACCEPTED" });
  const neighbours = OTHERS.map((other, i) => ({
    ...{ peer: other, weight: [0.3, 0.25, 0.2, 0.1, 0.15][i]!, staleness: i === 3 ? round % 3 : 0 },
    distance: (1 + i / 4) * 0.9 ** round,
  }));
  peer.tell({ type: "mixed", round, lambda: 0.4 + 0.3 * Math.sin(round), neighbours });
  const summary = {
    ...summaryOf(round),
    trainLoss: learnt,
    validationLoss: learnt + 0.15,
    validationInterval: 0.08 + 0.12 * 0.9 ** round,
    lambda: 0.4 + 0.3 * Math.sin(round),
  };
  const bytes = { sent: 180_000 + 9_000 * round, received: 210_000 - 4_000 * round };
  peer.tell({
    type: "round",
    summary: { ...summary, neighbours: 5, bytes, updateBytes: 42_000 },
    forgetting: { loss: 0, accuracy: 0, tasks: [] },
    base: { loss: 3.55, interval: 0.2 },
    scores: OTHERS.slice(0, Math.min(5, round + 1)).map((other, i) => ({
      ...{ peer: other, looks: round + 1, gain: [0.21, 0.12, -0.16, 0.05, 0.3][i]! * (1 - 0.7 ** (round + 1)) },
      ...(round > 0 && { interval: 0.2 / Math.sqrt(round + 1) }),
    })),
  });
}

describe.skipIf(!executablePath)("the page of a running peer", { timeout: 120_000 }, () => {
  let folder: string;
  let peer: ExamplePeer;
  let admin: AdminInterface;
  let served: ServedAdmin;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-page-"));
    peer = examplePeer(LINKS);
    peer.answers = { members, pending: { kind: "pending", motions: [motion] } };
    admin = new AdminInterface(peer, {
      dataDirectory: folder,
      version: "1.2.3",
      page: true,
      settings: {},
      stop: () => undefined,
    });
    tellStart(peer, OTHERS.length);
    for (let round = 0; round < 8; round++) tellRound(peer, round);
    served = await admin.serve();
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${served.place}/#${served.token}`);
    await page.getByText("8 of", { exact: false }).first().waitFor();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await admin?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const fact = (name: string) => page.locator(".facts li", { has: page.getByText(name, { exact: true }) }).locator("b");
  it("takes the token out of its address", () => {
    expect(page.url()).toBe(`${served.place}/`);
  });

  it("shows what the peer is doing, its curves and its connections, each with a table", async () => {
    expect(await fact("doing").textContent()).toBe("training");
    expect(await fact("neighbours").textContent()).toBe("5");
    expect(await page.locator(".plot canvas").count()).toBe(4);
    for (const plot of await page.locator(".plot").all())
      expect(await plot.getAttribute("aria-label")).toMatch(/ from /);
    expect(await page.locator(".plot ~ details tbody tr").count()).toBe(4 * 8);
    const map = await page.locator(".map").getAttribute("aria-label");
    expect(map).toContain("direct, 3 ms");
    expect(map).toContain("through a relay, 54 ms");
    await picture(page, "page-1280.png");
  });

  it("follows a round as it is done", async () => {
    expect(await fact("rounds").textContent()).toMatch(/^8 of /);
    tellRound(peer, 8);
    await expect.poll(() => fact("rounds").textContent(), { timeout: 10_000 }).toMatch(/^9 of /);
    await expect.poll(() => page.locator(".plot ~ details tbody tr").count(), { timeout: 10_000 }).toBe(4 * 9);
    await page.getByText("9 is done, validation loss", { exact: false }).first().waitFor();
  });

  it("shows each neighbour by weight, age or distance", async () => {
    await page.getByLabel("rounds behind").check();
    await page.getByRole("heading", { name: "Rounds behind" }).waitFor();
  });

  it("shows each neighbour's score over the rounds, with its band", async () => {
    await page.getByLabel("score:", { exact: false }).check();
    const chart = page.locator(".chart", { has: page.getByRole("heading", { name: "Score" }) });
    expect(await chart.locator(".plot").getAttribute("aria-label")).toMatch(/…her0000? |from 0\.\d+ to|from -0/);
    expect(await chart.locator(".legend li").count()).toBe(5);
    expect(await chart.locator("details tbody tr").count()).toBe(9);
  });

  it("says what LoRA would cost, in words and as lines of their own", async () => {
    const words = page.getByText("LoRA of rank 8 on the layers of queries and values", { exact: false });
    expect(await words.textContent()).toMatch(/has 42\.0 kB.*would have 250 kB in float32: 6\.0 times as much/);
    const chart = page.locator(".chart", { has: page.getByRole("heading", { name: "Bytes of each round" }) });
    expect(await chart.locator(".legend").textContent()).toMatch(
      /sent, with LoRA 1\.29 MB.*received, with LoRA 1\.22 MB/,
    );
  });

  it("has a member approved, after its fingerprint was shown once more", async () => {
    const card = page.getByRole("article", { name: "“hospital-4” asks to be trainer" });
    expect(await card.locator(".fingerprint").first().textContent()).toBe("48213 90127 55310 07764");
    const size = await page.evaluate("parseFloat(getComputedStyle(document.querySelector('.fingerprint')).fontSize)");
    expect(size).toBeGreaterThan(24);
    peer.acted.length = 0;
    await card.getByRole("button", { name: "Approve…" }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.locator(".fingerprint").textContent()).toBe("48213 90127 55310 07764");
    expect(peer.acted.filter(({ kind }) => kind === "approve")).toEqual([]);
    peer.answers = {
      members: { ...members, members: [...members.members, member(CANDIDATE, "trainer")] },
      pending: { kind: "pending", motions: [] },
      approve: { kind: "motion", motion, isDecided: true },
    };
    await dialog.getByRole("button", { name: "Approve", exact: true }).click();
    await page.getByText("Approved: it is decided.").waitFor();
    expect(peer.acted).toContainEqual({ kind: "approve", id: MOTION, isMeant: false });
    await page.getByText("3 members").waitFor();
    await page.getByText("Nothing waits for a decision.").waitFor();
  });

  it("pauses the peer and has it go on, by keyboard alone", async () => {
    await page.getByRole("button", { name: "Pause" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Go on" }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pause" }).waitFor();
    expect(peer.calls).toEqual(["pause", "resume"]);
  });

  it("says when the peer is gone, and goes on when it is back", async () => {
    await page.route("**/v1/**", (route) => route.abort());
    await page.getByText("the peer does not answer", { exact: false }).waitFor();
    await page.unroute("**/v1/**");
    await page.getByText(SELF, { exact: true }).waitFor();
    // The browser itself says what it could not fetch.
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes("net::ERR_FAILED")));
  });

  it.each([
    ["light", 1280],
    ["light", 390],
    ["dark", 390],
    ["dark", 1280],
  ] as const)("has nothing that axe finds, in %s colours and %i pixels wide", async (colorScheme, width) => {
    await expectReadable(page, { colorScheme, width });
    if (colorScheme === "light" && width === 390) await picture(page, "page-390.png");
  });

  it("asks whoever has no token for it, and takes no other", async () => {
    const locked = await browser.newPage();
    await locked.goto(`${served.place}/#${"x".repeat(43)}`);
    await locked.getByText("The token that this page had is not known here.").waitFor();
    expect(await violationsOf(locked)).toEqual([]);
    await locked.getByLabel("Token").fill(served.token);
    await locked.getByRole("button", { name: "Open" }).click();
    await locked.getByText("9 of", { exact: false }).first().waitFor();
    await locked.close();
  });

  it("fetches nothing from elsewhere, and reports no problem", () => {
    expect(requests.filter((url) => !url.startsWith(`${served.place}/`) && !url.startsWith("data:"))).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe.skipIf(!executablePath)("the page of a peer with much to show, on a phone", { timeout: 120_000 }, () => {
  const ids = Array.from(
    { length: 23 },
    (_, i) => `12D3KooW${String(i).padStart(44, "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVW")}`,
  );
  const label = `<img src="x" onerror="alert(1)">\u202e${"w".repeat(30)}`;
  let folder: string;
  let admin: AdminInterface;
  let served: ServedAdmin;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-page-"));
    const peer = examplePeer(ids.map((id, i) => exampleLink({ peer: id, isRelayed: i % 5 === 0 })));
    const about = { ...motion, request: { ...motion.request, label } };
    peer.answers = { members, pending: { kind: "pending", motions: [about] } };
    admin = new AdminInterface(peer, {
      dataDirectory: folder,
      version: "1",
      page: true,
      settings: {},
      stop: () => undefined,
    });
    const self = { peer: `12D3KooW${"S".repeat(44)}`, addresses: [], dataDirectory: folder, round: 0, resumed: false };
    peer.tell({ type: "started", ...self, examples: { train: 3, validation: 2, test: 1 } });
    for (let round = 0; round < 500; round++) {
      const neighbours = ids.map((id, i) => ({ peer: id, weight: i / 253, staleness: 0, distance: 1 + i }));
      peer.tell({ type: "mixed", round, lambda: 0.5, neighbours });
      const summary = {
        ...summaryOf(round),
        trainLoss: 2,
        validationLoss: 1 + 2 / (round + 1),
        validationInterval: 0.1,
      };
      peer.tell({ type: "round", summary, forgetting: { loss: 0, accuracy: 0, tasks: [] } });
    }
    served = await admin.serve();
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${served.place}/`);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await admin?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("takes no text for a token that is none, and is opened by keyboard alone", async () => {
    await page.keyboard.press("Tab");
    await page.keyboard.type("geheim über alles");
    await page.keyboard.press("Enter");
    await page.getByText("A token has 43 letters", { exact: false }).waitFor();
    await page.getByLabel("Token").fill(served.token);
    await page.keyboard.press("Enter");
    await page.getByText("500 of", { exact: false }).first().waitFor();
    expect(requests.filter((url) => url.includes("/v1/status"))).toHaveLength(1);
  });

  it("has hundreds of rounds, and neighbours as a map of heat where they are many", async () => {
    expect(await page.locator("canvas.cells").getAttribute("aria-label")).toMatch(
      /: 23 rows, 200 rounds, from 0.00 to 0.09/,
    );
    const below = page.locator("details", { has: page.getByText("Weight in the mix, share, as a table") });
    expect(await below.locator("tbody tr").count()).toBe(0);
    await below.locator("summary").focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => below.locator("tbody tr").count(), { timeout: 10_000 }).toBe(200);
    await page.keyboard.press("Enter");
    await expect.poll(() => below.locator("tbody tr").count(), { timeout: 10_000 }).toBe(0);
  });

  it("fits a phone with ids and labels as long as they come, and a label is text", async () => {
    await page.getByRole("article", { name: "asks to be trainer" }).waitFor();
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    const title = await page.locator(".motion h3").first().textContent();
    expect(title).toBe(`“<img src="x" onerror="alert(1)">\u25a1${"w".repeat(30)}” asks to be trainer`);
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  });
});
