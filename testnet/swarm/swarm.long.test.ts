/** A swarm that stays, by the command line: real peers in real processes. Run by `npm run test:swarm`. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { processMark, type SwarmView } from "../../node/index.ts";
import type { SwarmStatus } from "../words/swarm-table.ts";

const command = join(import.meta.dirname, "..", "..", "cli", "weft.js");
const waiting = { timeout: 120_000, interval: 500 };
let home: string;
let folder: string;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command as a user without a terminal gives it, started by npx as that does. */
function weft(...words: string[]): Promise<Said> {
  return new Promise((resolve) => {
    const all = [command, "testnet", ...words, "--dir", folder];
    const env = { ...process.env, npm_command: "exec" };
    execFile(process.execPath, all, { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

async function status(): Promise<SwarmStatus> {
  return JSON.parse((await weft("status", "--json")).out) as SwarmStatus;
}
const neighbours = async () => (await status()).peers.map((peer) => peer.neighbours ?? null);
/** What the page of the swarm is told, by its own interface. */
async function seen(): Promise<SwarmView> {
  const { page } = await status();
  const token = readFileSync(join(folder, "page", "admin-token"), "utf8").trim();
  const answer = await fetch(`${page}v1/swarm`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as SwarmView;
}
/** Neighbours of each peer as the page sees them; null of one that does not answer. */
const seenNeighbours = async () =>
  (await seen()).peers.map(({ isThere, said }) =>
    isThere ? (said?.links.filter(({ isNeighbour }) => isNeighbour).length ?? 0) : null,
  );
const states = async () => (await status()).peers.map(({ state }) => state);
/** Of these processes, those that run; one that has ended and that nobody has asked about yet does not. */
async function running(pids: readonly number[]): Promise<readonly number[]> {
  const marks = await Promise.all(pids.map(processMark));
  return pids.filter((_, i) => marks[i] !== undefined);
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "weft-swarm-"));
  folder = join(home, "swarm");
});
afterAll(async () => {
  if (existsSync(join(folder, "swarm.json"))) await weft("down");
  rmSync(home, { recursive: true, force: true });
});

it("goes up, and its peers outlive the command and whoever started that", async () => {
  const words = [
    "up",
    "--page",
    "--peers",
    "4",
    "--rounds",
    "2000",
    "--local-steps",
    "2",
    "--adapter",
    "loreft:r2:f1+l1",
    "--batch-size",
    "2",
  ];
  const { code, err } = await weft(...words);
  expect([code, err]).toEqual([0, expect.stringContaining("peer 4 runs: process")]);
  // Without a terminal, the token stays where its owner alone can read it.
  expect(err).toMatch(/^page: http:\/\/127\.0\.0\.1:\d+\/ \(it asks for what is in .*page\/admin-token\)$/m);
  await expect.poll(neighbours, waiting).toEqual([3, 3, 3, 3]);
  const before = await status();
  await expect
    .poll(
      async () => (await status()).peers.every(({ round }, i) => (round ?? 0) > (before.peers[i]?.round ?? 0)),
      waiting,
    )
    .toBe(true);
  expect(await weft("up")).toMatchObject({ code: 2, err: expect.stringContaining("there is a swarm in") });
});

it("is parted for real, and for a peer that is killed and started again too", async () => {
  expect(await weft("partition", "1,2", "/", "3,4")).toMatchObject({ code: 0 });
  await expect.poll(neighbours, waiting).toEqual([1, 1, 1, 1]);
  expect(await weft("kill", "2")).toMatchObject({ code: 0 });
  expect(await states()).toMatchObject(["training", "down", "training", "training"]);
  await expect.poll(neighbours, waiting).toEqual([0, null, 1, 1]);
  await expect.poll(seenNeighbours, waiting).toEqual([0, null, 1, 1]);
  expect(await weft("restart", "2")).toMatchObject({ code: 0 });
  await expect.poll(neighbours, waiting).toEqual([1, 1, 1, 1]);
  const { peers, sides } = await status();
  expect(sides).toEqual([
    [1, 2],
    [3, 4],
  ]);
  // It goes on from its checkpoint and does not begin anew.
  expect(readFileSync(join(folder, "peer-2.log"), "utf8")).toMatch(/goes on in round \d+/);
  expect(peers[1]?.round).toBeGreaterThan(0);
  expect(await weft("heal")).toMatchObject({ code: 0 });
  await expect.poll(neighbours, waiting).toEqual([3, 3, 3, 3]);
  await expect.poll(seenNeighbours, waiting).toEqual([3, 3, 3, 3]);
});

it("has peers pause and hang, and go on", async () => {
  await weft("pause", "3");
  await weft("pause", "4", "--freeze");
  expect(await states()).toEqual(["training", "training", "paused", "frozen"]);
  await expect
    .poll(async () => (await seen()).peers.map(({ isThere, said }) => isThere && said?.state), waiting)
    .toEqual(["training", "training", "paused", false]);
  const paused = (await status()).peers[2]?.round;
  const others = (await status()).peers[0]?.round ?? 0;
  await expect.poll(async () => ((await status()).peers[0]?.round ?? 0) > others, waiting).toBe(true);
  expect((await status()).peers[2]?.round).toBe(paused);
  expect(await weft("resume", "3,4")).toMatchObject({ code: 0 });
  await expect.poll(async () => ((await status()).peers[2]?.round ?? 0) > (paused ?? 0), waiting).toBe(true);
  expect(await states()).toEqual(["training", "training", "training", "training"]);
});

it("shows what its peers print", async () => {
  const { out } = await weft("logs", "--lines", "1000");
  for (const number of [1, 2, 3, 4]) expect(out).toMatch(new RegExp(`^${number}  round \\d+/2000 in`, "m"));
  expect((await weft("logs", "2", "--lines", "1")).out).toMatch(/^2 {2}.+\n$/);
});

it("goes down and leaves nothing", async () => {
  const pids = (await status()).peers.map(({ process }) => process);
  expect(await running(pids)).toEqual(pids);
  await weft("pause", "1", "--freeze");
  expect(await weft("down")).toMatchObject({ code: 0, err: expect.stringContaining("5 processes stopped") });
  expect(await running(pids)).toEqual([]);
  expect(readdirSync(home)).toEqual([]);
  expect(await weft("status")).toMatchObject({ code: 2, err: expect.stringContaining("there is no swarm in") });
});
