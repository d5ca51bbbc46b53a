/** A key that is rotated where two admins decide: real peers, connections and files, and commands beside them. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { oneFrame } from "../../../node/exchange/byte-pipeline.ts";
import { withStream } from "../../../node/exchange/deadline.ts";
import type { PeerEvent } from "../../../node/interface/peer-event.ts";
import { searchModel } from "../../../node/manifest/model-search.ts";
import type { MembersAnswer } from "../../../node/membership/roster-desk.ts";
import { type NetworkPeer, startNetworkPeer } from "../../../node/peer/network-peer.ts";
import { readOrCreateKey } from "../../../node/system/files/key-file.ts";
import { createLibp2pTransport } from "../../../node/system/network/libp2p.ts";
import { patient } from "../../../node/system/network/transport.suite.ts";
import { createSystemClock } from "../../../node/system/platform/system-clock.ts";
import { encodeFrame } from "../../../protocol/frame.ts";
import { decodeReply, encodeHello } from "../../../protocol/handshake.ts";
import { type Genesis, parseGenesis } from "../../../protocol/membership/genesis.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import { type CommandResult, weft } from "../../command.suite.ts";

const WAITING = { timeout: 60_000, interval: 20 };
let folder: string;
let genesis: Genesis;
const ids: Record<string, string> = {};
const at = (name: string): string => join(folder, name);
const on = (name: string, ...words: readonly string[]): Promise<CommandResult> =>
  weft([...words, "--data-dir", at(name)]);
const members = async (name: string): Promise<MembersAnswer> =>
  JSON.parse((await on(name, "members", "list", "--json")).out);

interface Up {
  readonly peer: NetworkPeer;
  readonly ended: Promise<unknown>;
  address(): string;
  neighbours(): number;
}
const up = new Map<string, Up>();
/** A peer that keeps the roster and passes on: without the model it does no more. */
async function start(name: string): Promise<void> {
  const events: PeerEvent[] = [];
  const peer = await startNetworkPeer({
    dataDirectory: at(name),
    manifest: genesis.manifest,
    genesis,
    modelDirectory: at("none"),
    lacks: searchModel(genesis.manifest, [at("none")]),
    examples: { train: [], validation: [], test: [] },
    compareAlone: false,
    engine: { threads: 1 },
    logLevel: "error",
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: [...up.values()].map((other) => other.address()),
    onEvent: (event) => void events.push(event),
  });
  const found = <T extends PeerEvent["type"]>(type: T) =>
    events.findLast((event): event is Extract<PeerEvent, { type: T }> => event.type === type);
  const ended = peer.done.catch((error: unknown) => error);
  up.set(name, {
    ...{ peer, ended },
    address: () => found("started")!.addresses[0]!,
    neighbours: () => found("neighbours")?.connected ?? 0,
  });
}
const stop = async (...names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => up.get(name)!.peer.stop()));
  for (const name of names) up.delete(name);
};
const everybodyHas = (count: number) =>
  expect.poll(() => [...up.values()].map((one) => one.neighbours()), WAITING).toEqual(Array(up.size).fill(count));

/** What a peer says to whoever has this key: the code of its answer, or that it does not even listen. */
async function answerTo(key: string, name: string): Promise<string> {
  const { seed } = await readOrCreateKey(key);
  const limits = { connectionsMax: 4, streamsPerProtocolMax: 4, gossipBytesMax: 1000 };
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const transport = await createLibp2pTransport({ logger }, { seed, listen: [], ...limits });
  await transport.start();
  try {
    const signal = patient();
    const peer = await transport.dial(up.get(name)!.address(), signal);
    const call = { peer, protocol: STREAM_PROTOCOLS.handshake, timeoutMs: 20_000, signal };
    const hello = encodeFrame(encodeHello(genesis.manifest));
    const bytes = await withStream({ transport, clock: createSystemClock() }, call, async ({ source, sink }) => {
      await sink([hello]);
      return await oneFrame(100_000)(source);
    });
    return decodeReply(bytes).code;
  } catch (error) {
    return `cut off: ${(error as { code?: string }).code}`;
  } finally {
    await transport.stop();
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-rotate-"));
  for (const name of ["alice", "bob", "carol"]) ids[name] = (await on(name, "init")).out.trim();
  const founders = `${ids.alice} admin\n${ids.bob} admin\n${ids.carol} relay\n`;
  await writeFile(at("founders.txt"), founders);
  const file = ["--members", at("founders.txt"), "--threshold", "2", "--out", at("network.json")];
  await weft(["network", "create", "--adapter", "loreft:r1:f1", ...file]);
  for (const name of ["alice", "bob"]) await on(name, "network", "sign", at("network.json"));
  for (const name of ["alice", "bob", "carol"]) await on(name, "init", "--network", at("network.json"));
  genesis = parseGenesis(await readFile(at("network.json"), "utf8"));
});
afterEach(async () => {
  await stop(...up.keys());
  await rm(folder, { recursive: true });
});

it("holds once the second admin has agreed; the old key is refused by everybody, after restarts too", async () => {
  for (const name of ["alice", "bob", "carol"]) await start(name);
  await everybodyHas(2);
  const oldKey = at("old/key");
  await mkdir(at("old"), { mode: 0o700 });
  await copyFile(at("alice/key"), oldKey);

  const first = await on("alice", "keys", "rotate", "--without-quorum", "--json");
  expect(first).toMatchObject({ code: 0, err: expect.stringContaining("1 of 2 admins agree so far") });
  const { id, statement, isDecided } = JSON.parse(first.out);
  expect([isDecided, statement]).toMatchObject([false, { kind: "rotate", replaces: ids.alice, role: "admin" }]);
  const next: string = statement.subject;
  const isNextAdmin = async (name: string) => (await members(name)).admins.includes(next as never);
  // Her own signature is one of two: nothing has changed, and her key is as good as before.
  await expect.poll(async () => (await on("bob", "members", "pending")).out, WAITING).toContain("1 of 2 admins agree");
  expect(await isNextAdmin("carol")).toBe(false);
  // Asked again, it is the same motion: two rotations on two branches would undo each other.
  expect(JSON.parse((await on("alice", "keys", "rotate", "--without-quorum", "--json")).out)).toMatchObject({
    id,
    isDecided: false,
  });

  expect((await on("bob", "members", "approve", next, "--without-quorum")).code).toBe(0);
  for (const name of ["bob", "carol"]) await expect.poll(() => isNextAdmin(name), WAITING).toBe(true);
  // The peer with the old key ends by itself, and begins anew with the new one.
  expect(await up.get("alice")!.ended).toMatchObject({ code: "MEMBERSHIP_ENDED" });
  await stop("alice");
  const second = await on("alice", "keys", "rotate", "--without-quorum", "--json");
  expect(JSON.parse(second.out)).toEqual({ peer: next, replaces: ids.alice });
  expect(await answerTo(at("alice/key"), "bob")).toBe("WELCOME");
  await start("alice");
  await everybodyHas(2);

  const isRefused = async (): Promise<void> => {
    for (const name of up.keys()) {
      // Removed ones are not even connected to; should a connection be made first, it is closed before any word.
      expect(await answerTo(oldKey, name), name).toMatch(/^cut off: (DIAL_FAILED|STREAM_FAILED)$/);
    }
    await everybodyHas(2);
  };
  await isRefused();
  await stop("alice", "bob", "carol");
  for (const name of ["carol", "bob", "alice"]) await start(name);
  await everybodyHas(2);
  await isRefused();
  const removal = { peer: ids.alice, reason: "rotated", successor: next };
  for (const name of up.keys()) expect((await members(name)).removed, name).toMatchObject([removal]);

  // The new key governs: with it and bob's there are two again.
  expect((await on("alice", "members", "expire", ids.carol!, "--at", "30d")).code).toBe(0);
  const isShorter = async (name: string) =>
    (await members(name)).members.some(({ peer, isFounder }) => peer === ids.carol && !isFounder);
  await expect.poll(async () => (await on("bob", "members", "approve", ids.carol!)).code, WAITING).toBe(0);
  for (const name of up.keys()) await expect.poll(() => isShorter(name), WAITING).toBe(true);
}, 120_000);
