import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXAMPLE_MANIFEST } from "./fixtures/example-run.ts";
import { runTestnet, startGroups } from "./run-testnet.ts";
import { type TestnetObserver, testnetDocument } from "./words/result.ts";

const command = join(import.meta.dirname, "fixtures", "fake-peer.mjs");

describe("testnet of processes", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-testnet-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const run = (options: {
    peers: number;
    behaviour?: Record<number, string>;
    signal?: AbortSignal;
    observer?: TestnetObserver;
  }) =>
    runTestnet({
      manifest: EXAMPLE_MANIFEST,
      peers: options.peers,
      command,
      folder,
      ...(options.behaviour && { data: { file: JSON.stringify(options.behaviour) } }),
      engine: { threads: 1 },
      logLevel: "warn",
      signal: options.signal ?? new AbortController().signal,
      ...(options.observer && { observer: options.observer }),
    });

  it("starts every peer with others to dial, and collects what each reports", async () => {
    const result = await run({ peers: 5 });
    expect(result.peers.map(({ view }) => [view.peer, view.state, view.updates.accepted])).toEqual([
      ["fake-peer-1", "finished", 0],
      ["fake-peer-2", "finished", 1],
      ["fake-peer-3", "finished", 1],
      ["fake-peer-4", "finished", 3],
      ["fake-peer-5", "finished", 3],
    ]);
    expect(JSON.parse(await readFile(join(folder, "network.json"), "utf8"))).toEqual(EXAMPLE_MANIFEST);
    const document = testnetDocument(result);
    expect(document.peers[3]).toMatchObject({
      id: "fake-peer-4",
      finished: true,
      base: { loss: 3 },
      alone: { loss: 2 },
      swarm: { loss: 1.5 },
      bytes: { sent: 4000, received: 8000 },
      updates: { accepted: 3, ignored: 0, rejected: 0 },
    });
    expect(document.worseThanAlone).toEqual(["fake-peer-2"]);
  });

  it("goes on without a peer that dies, and shows its last words", async () => {
    const exits: string[] = [];
    const observer = { onEvent: () => undefined, onExit: ({ name }: { name: string }) => void exits.push(name) };
    const { peers } = await run({ peers: 3, behaviour: { 2: "dies" }, observer });
    expect(peers.map(({ view }) => view.state)).toEqual(["finished", "stopped", "finished"]);
    expect(peers[1]?.exit).toEqual({
      code: null,
      signal: "SIGKILL",
      lastLines: ["a library says hello", "out of luck"],
    });
    expect(exits).toEqual(["peer 2"]);
    expect(peers[0]?.exit).toBeUndefined();
  });

  it("goes on when a later peer does not start", async () => {
    const { peers } = await run({ peers: 4, behaviour: { 4: "does not start" } });
    expect(peers.map(({ view }) => view.state)).toEqual(["finished", "finished", "finished", "stopped"]);
    expect(peers[3]?.exit).toMatchObject({ code: 2, lastLines: ["weft: no such model"] });
  });

  it("refuses with one line when the first peer does not start", async () => {
    await expect(run({ peers: 3, behaviour: { 1: "does not start" } })).rejects.toMatchObject({
      code: "PEER_FAILED",
      message: "peer 1 did not start: no such model",
    });
  });

  it("refuses a folder that holds checkpoints of an earlier run, and touches nothing", async () => {
    const checkpoints = join(folder, "peer-12", "checkpoints");
    await mkdir(checkpoints, { recursive: true });
    await writeFile(join(checkpoints, "checkpoint-7.safetensors"), "");
    await expect(run({ peers: 1 })).rejects.toMatchObject({
      code: "DATA_DIRECTORY",
      message: `${checkpoints} holds checkpoints of an earlier run`,
      facts: { folder, peer: expect.any(String), problem: "earlier-run" },
    });
    expect(await readdir(folder)).toEqual(["peer-12"]);
  });

  it("takes a folder in which no peer got as far as a checkpoint", async () => {
    await mkdir(join(folder, "peer-1", "checkpoints"), { recursive: true });
    const { peers } = await run({ peers: 1 });
    expect(peers.map(({ view }) => view.state)).toEqual(["finished"]);
  });

  it("stops all peers when interrupted, and says so in the result", async () => {
    const interrupt = new AbortController();
    const observer: TestnetObserver = {
      onEvent: (_, event) => void (event.type === "started" && interrupt.abort()),
      onExit: () => undefined,
    };
    const result = await run({ peers: 4, signal: interrupt.signal, observer });
    expect(result.interrupted).toBe(true);
    expect(result.peers.length).toBeLessThan(4);
  });

  it.each([
    [1, [[0]]],
    [2, [[0], [1]]],
    [3, [[0], [1, 2]]],
    [6, [[0], [1, 2], [3, 4, 5]]],
  ])("starts %i peers in groups", (peers, groups) => {
    expect(startGroups(peers)).toEqual(groups);
  });
});
