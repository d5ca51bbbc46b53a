/** A swarm's state: numbers, sides, and processes that are what they were. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processMark } from "../../node/index.ts";
import { hasEnded, signalProcess, stopProcess } from "./detached-process.ts";
import { parseSides } from "./partition.ts";
import { followFile } from "./printed-lines.ts";
import { findSwarm, peersOf, readSwarm, type SwarmFile, swarmPath, writeSwarm } from "./swarm-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-swarm-"));
});
afterAll(() => rm(folder, { recursive: true }));

const SWARM: SwarmFile = {
  ...{ schema: "weft-swarm/1", network: "n", rounds: 5 },
  peers: ["a", "b", "c", "d"].map((id) => ({
    ...{ id, arguments: [], startedAt: "2026-01-01T00:00:00.000Z" },
    mark: { process: 2 ** 22 + 1, startedAt: "1", boot: "none" },
  })),
};

describe("the sides of a partition", () => {
  it.each([
    [
      "1,2 / 3,4",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      "1,2/3,4",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ["1", [[1], [2, 3, 4]]],
    ["1 / 2", [[1], [2], [3, 4]]],
    [
      "4 , 1 / 2 , 3",
      [
        [4, 1],
        [2, 3],
      ],
    ],
  ])("of %s", (text, sides) => {
    expect(parseSides(text, SWARM)).toEqual(sides);
  });

  it.each([
    ["1,2,3,4", /on one side/],
    ["1,2 / 2", /peer 2 is on two sides/],
    ["0", /there is no peer 0; the peers of this swarm are 1 to 4/],
    ["1 / 5", /there is no peer 5/],
    ["1 /", /"" is no number/],
    ["one", /"one" is no number/],
    ["", /"" is no number/],
  ])("are not %j", (text, said) => {
    expect(() => parseSides(text, SWARM)).toThrow(said);
  });
});

describe("a swarm's file", () => {
  it("is read as it was written, and its absence is told", async () => {
    expect(await findSwarm(folder)).toBeUndefined();
    await expect(readSwarm(folder)).rejects.toMatchObject({ facts: { problem: "no-swarm" } });
    await writeSwarm(folder, SWARM);
    expect(await readSwarm(folder)).toEqual(SWARM);
    expect(peersOf(SWARM, [4, 1]).map(({ id }) => id)).toEqual(["d", "a"]);
  });

  it.each(["{", "{}", '{"schema":"weft-swarm/2","peers":[]}'])("is refused as %s", async (text) => {
    await writeFile(swarmPath(folder), text);
    await expect(readSwarm(folder)).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
  });
});

describe("a process of a swarm", () => {
  it("is signalled while it is the one that was started, and never another with its number", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const exited = once(child, "exit");
    const mark = await processMark(child.pid as number);
    if (mark === undefined) throw new Error("the process does not run");
    const startedAt = "2026-01-01T00:00:00.000Z";
    const earlier = { mark: { ...mark, startedAt: "1" }, startedAt };
    const ofAnotherBoot = { mark: { ...mark, boot: "another" }, startedAt };
    expect(await signalProcess(earlier, "SIGKILL")).toBe(false);
    expect(await stopProcess(earlier, 100)).toBe(false);
    expect(await signalProcess(ofAnotherBoot, "SIGKILL")).toBe(false);
    expect(await hasEnded(earlier, 0)).toBe(true);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    // One that stands still is stopped too.
    expect(await signalProcess({ mark, startedAt }, "SIGSTOP")).toBe(true);
    expect(await stopProcess({ mark, startedAt }, 5_000)).toBe(true);
    expect(await exited).toEqual([null, "SIGTERM"]);
    expect(await signalProcess({ mark, startedAt }, "SIGTERM")).toBe(false);
  });
});

it("what peers print is told from its newest lines on, and as it comes", async () => {
  const path = join(folder, "printed.log");
  const lines: string[] = [];
  const stopping = new AbortController();
  await writeFile(path, "one\ntwo\nthree\n");
  const following = followFile(path, {
    lines: 2,
    follow: true,
    signal: stopping.signal,
    onLine: (line) => lines.push(line),
  });
  await expect.poll(() => lines).toEqual(["two", "three"]);
  await writeFile(path, "fo", { flag: "a" });
  await writeFile(path, "ur\nfive\n", { flag: "a" });
  await expect.poll(() => lines, { timeout: 5_000 }).toEqual(["two", "three", "four", "five"]);
  stopping.abort();
  await following;
  const none: string[] = [];
  await followFile(join(folder, "nothing"), {
    lines: 5,
    follow: false,
    signal: stopping.signal,
    onLine: (line) => none.push(line),
  });
  expect(none).toEqual([]);
});
