/** The page of a swarm in a real browser: a dozen peers, each with an admin interface.  Run by `npm run test:page`. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SwarmWatch } from "../../testnet/swarm/watch-swarm.ts";
import { type ExamplePeer, exampleLink, examplePeer, summaryOf } from "../admin/example-peer.suite.ts";
import { AdminInterface } from "../admin/serve-admin.ts";
import { type SwarmPage, serveSwarmPage } from "../admin/serve-swarm.ts";
import { executablePath, expectReadable, picture, startBrowser } from "./browser-page.suite.ts";

const PEERS = 12;
const ROUNDS = 12;
const idOf = (place: number): string => `12D3KooW${String(place + 1).padStart(6, "Swarm0")}`;

/** A peer of the swarm with what serves it. */
interface Member {
  readonly peer: ExamplePeer;
  readonly links: object[];
  readonly folder: string;
  admin: AdminInterface;
}

/** Whom a peer is connected with, as far as they are on its side: its neighbours in the ring, and some across it. */
function linksOf(place: number, sideOf: (place: number) => number): object[] {
  return [1, 4, PEERS / 2, PEERS - 4, PEERS - 1]
    .map((step) => (place + step) % PEERS)
    .filter((other) => sideOf(other) === sideOf(place))
    .map((other) => {
      const distance = Math.min(Math.abs(place - other), PEERS - Math.abs(place - other));
      const isRelayed = (place + other) % 7 === 0;
      return exampleLink({ peer: idOf(other), roundTripMs: isRelayed ? 140 : distance * 12, isRelayed });
    });
}

function tellRound({ peer, links }: Member, place: number, round: number): void {
  const neighbours = links.map((link, i) => ({
    ...{ peer: (link as { peer: string }).peer, weight: 1 / links.length + (i % 2 ? 0.03 : -0.03) },
    ...{ staleness: i === 4 ? 1 : 0, distance: 1 },
  }));
  peer.tell({ type: "mixed", round, lambda: 0.5, neighbours });
  const validationLoss = 1.2 + 2 * 0.8 ** round + 0.02 * place;
  const bytes = { sent: 60_000 + 900 * place, received: 64_000 - 500 * place };
  const summary = {
    ...summaryOf(round),
    trainLoss: 1 + 2 * 0.8 ** round,
    validationLoss,
    validationInterval: 0.2,
    bytes,
  };
  peer.tell({
    type: "round",
    ...{ summary, forgetting: { loss: 0, accuracy: 0, tasks: [] }, base: { loss: 3.4 + 0.01 * place, interval: 0.2 } },
  });
}

const serve = (folder: string, peer: ExamplePeer): AdminInterface =>
  new AdminInterface(peer, { dataDirectory: folder, version: "1", settings: {}, stop: () => undefined });

describe.skipIf(!executablePath)("the page of a swarm", { timeout: 120_000 }, () => {
  let home: string;
  const members: Member[] = [];
  let watch: SwarmWatch;
  let served: SwarmPage;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const requests: string[] = [];
  const faults: unknown[] = [];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "weft-page-"));
    for (let place = 0; place < PEERS; place++) {
      const folder = join(home, `peer-${place + 1}`);
      await mkdir(folder);
      const links = linksOf(place, () => 0);
      const peer = examplePeer(links);
      const member = { peer, links, folder, admin: serve(folder, peer) };
      peer.tell({
        ...{ type: "started", peer: idOf(place), addresses: [], dataDirectory: folder, round: 0, resumed: false },
        examples: { train: 3, validation: 2, test: 1 },
      });
      for (let round = 0; round < ROUNDS; round++) tellRound(member, place, round);
      peer.tell({ type: "step", round: ROUNDS, step: 3, steps: 20, loss: 1.4, phase: "swarm" });
      await member.admin.serve();
      members.push(member);
    }
    watch = new SwarmWatch(home, { peers: PEERS, onError: (error) => void faults.push(error) });
    served = await serveSwarmPage(watch, { folder: join(home, "page"), port: 0, version: "1" });
    watch.start();
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${served.place}/#${served.token}`);
    await page.getByText(`all ${PEERS} peers answer`).waitFor();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await watch?.stop();
    await Promise.all(members.map(({ admin }) => admin.close()));
    await rm(home, { recursive: true, force: true });
  });
  const fact = (name: string) => page.locator(".facts li", { has: page.getByText(name, { exact: true }) }).locator("b");
  const stateLine = () => page.locator("header [role=status]").textContent();
  const row = (place: number) =>
    page
      .getByRole("region", { name: `${PEERS} peers` })
      .locator("tbody tr")
      .nth(place);
  const map = () => page.locator(".map").getAttribute("aria-label");

  it("shows all peers as bands and a map of heat, and not as a line for each", async () => {
    expect(page.url()).toBe(`${served.place}/`);
    expect(await page.title()).toBe("weft: a swarm");
    expect(await fact("rounds").textContent()).toBe("12 of 100");
    const losses = page.locator(".chart", { has: page.getByRole("heading", { name: `all ${PEERS} peers` }) });
    expect(await losses.locator(".legend li").allTextContents()).toEqual([
      expect.stringMatching(/^swarm 1\.\d+$/),
      expect.stringMatching(/^base 3\.455$/),
    ]);
    expect(await page.locator("canvas.cells").getAttribute("aria-label")).toMatch(/12 rows, 12 rounds, from 1\.\d+ to/);
    expect(await page.locator(".chart .legend li").count()).toBeLessThan(8);
    await picture(page, "page-swarm-1280.png");
  });

  it("shows links with their quality and relays, and who hears whom", async () => {
    expect(await map()).toMatch(/^12 peers, 30 links, \d+ through relays; all that are there hear each other$/);
    expect(await page.locator(".map .relayed").count()).toBeGreaterThan(3);
    const links = page.locator("details", { has: page.getByText("30 links, as a table") });
    await links.locator("summary").click();
    expect(await links.locator("tbody tr").first().textContent()).toBe("peer 1 – peer 2direct, 12 msgood");
    await links.locator("summary").click();
    const heard = page.getByRole("region", { name: "Who hears whom" }).locator("tbody tr").first().locator("td");
    expect((await heard.allTextContents()).slice(0, 6)).toEqual(["·", "17", "", "", "23", ""]);
  });

  it("shows one peer by itself, with the intervals of its own losses", async () => {
    await page.getByLabel("Show").selectOption("peer 7");
    await page.getByRole("heading", { name: "Held-out loss of peer 7" }).waitFor();
    await page.getByText("The bands are 95 % intervals.", { exact: false }).waitFor();
    await page.getByLabel("Show").selectOption("all");
  });

  it("follows a round as it is done", async () => {
    for (const [place, member] of members.entries()) tellRound(member, place, ROUNDS);
    await expect.poll(() => fact("rounds").textContent(), { timeout: 15_000 }).toBe("13 of 100");
    await expect
      .poll(() => page.locator("canvas.cells").getAttribute("aria-label"), { timeout: 5_000 })
      .toContain("13 rounds");
  });

  it("sees a peer that is paused, one that is killed and one that is started again", async () => {
    members[2]!.peer.pause();
    await expect.poll(() => row(2).textContent(), { timeout: 10_000 }).toContain("paused");
    members[2]!.peer.resume();
    await members[5]!.admin.close();
    await expect.poll(stateLine, { timeout: 10_000 }).toBe("11 of 12 peers answer");
    expect(await row(5).textContent()).toMatch(/does not answer since .*13\/100/);
    expect(await map()).toContain("no answer of 6");
    const again = serve(members[5]!.folder, members[5]!.peer);
    members[5]!.admin = again;
    await again.serve();
    await expect.poll(stateLine, { timeout: 15_000 }).toBe("all 12 peers answer");
  });

  it("sees a partition, and its end", async () => {
    const part = (sideOf: (place: number) => number): void => {
      for (const [place, { links }] of members.entries()) links.splice(0, links.length, ...linksOf(place, sideOf));
    };
    part((place) => (place < 8 ? 0 : 1));
    const parted = /^all 12 peers answer; 2 parts that do not hear each other: 1, 2, .*, 8 \/ 9, 10, 11, 12$/;
    await expect.poll(stateLine, { timeout: 10_000 }).toMatch(parted);
    expect(await fact("parts").textContent()).toBe("2");
    part(() => 0);
    await expect.poll(stateLine, { timeout: 10_000 }).toBe("all 12 peers answer");
  });

  it.each([
    ["light", 390],
    ["dark", 1280],
  ] as const)("has nothing that axe finds, in %s colours and %i pixels wide", async (colorScheme, width) => {
    await expectReadable(page, { colorScheme, width });
    if (colorScheme === "light" && width === 390) await picture(page, "page-swarm-390.png");
  });

  it("keeps what was seen last when it is served no more, and asks whoever has no token", async () => {
    const locked = await browser.newPage();
    await locked.goto(`${served.place}/#${"x".repeat(43)}`);
    await locked.getByText("page/admin-token in the swarm's folder", { exact: false }).waitFor();
    await locked.close();
    await served.close();
    await expect.poll(stateLine, { timeout: 10_000 }).toContain("served no more");
    expect(await fact("rounds").textContent()).toBe("13 of 100");
    // The browser itself says what it could not fetch.
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes("net::ERR_")));
  });

  it("fetches nothing from elsewhere, and reports no problem", () => {
    expect(requests.filter((url) => !url.startsWith(`${served.place}/`) && !url.startsWith("data:"))).toEqual([]);
    expect(problems).toEqual([]);
    expect(faults).toEqual([]);
  });
});
