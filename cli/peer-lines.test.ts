/** What `weft run` says of its peer's events: each of them once. */
import { describe, expect, it } from "vitest";
import { eventLogLevel, type PeerEvent, PeerNames } from "../node/index.ts";
import { EXAMPLE_MANIFEST } from "../protocol/vectors/example-network.ts";
import { exampleEvents } from "../testnet/fixtures/example-run.ts";
import { type TellingFlags, tellNews } from "./peer-lines.ts";
import { peerOptions } from "./run-options.ts";

const BOB = "12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL";
const at = "2026-11-30T00:00:00.000Z";
const NAMED: readonly PeerEvent[] = [
  { type: "company", change: "found", peer: BOB, label: "bob", at },
  { type: "declined", peer: BOB, label: "bob", reason: "it has no room", times: 2 },
  { type: "unreachable", address: `/ip4/127.0.0.1/tcp/1/p2p/${BOB}`, label: "bob", reason: "refused", failures: 1 },
  { type: "member", change: "revoked", peer: BOB, label: "bob", role: "trainer" },
  { type: "equivocation", peer: BOB, label: "bob", kind: "announcement", sequence: 1, isBarred: true },
  { type: "clock", peer: BOB, label: "bob", aheadSeconds: 900 },
];
const OTHERS: readonly PeerEvent[] = [
  { type: "address", address: "/ip4/203.0.113.7/tcp/9000", isReached: false, isTold: false, asked: 1 },
  { type: "jumped", from: 0, to: 3 },
  { type: "refused", round: 0, reason: "loss" },
  ...exampleEvents(0),
];

/** What is written of these events, with these flags. */
function told(events: readonly PeerEvent[], flags: TellingFlags = {}): { out: string; err: string } {
  const written = { out: "", err: "" };
  const terminal = {
    out: (text: string) => void (written.out += text),
    err: (text: string) => void (written.err += text),
  };
  const lines = { manifest: EXAMPLE_MANIFEST, names: new PeerNames() };
  for (const event of events) tellNews(event, lines, flags, terminal);
  return written;
}

describe("weft run", () => {
  it("names a peer by what it calls itself, and by its id or the end of it", () => {
    const lines = told(NAMED).err.trimEnd().split("\n");
    expect(lines).toHaveLength(NAMED.length);
    for (const line of lines) expect(line).toMatch(/"bob" …7nDtxWL|"bob" …nDtxWL|nDtxWL \("bob"\)/);
    expect(lines[1]).toBe('"bob" …nDtxWL does not become a neighbour (2 times by now): it has no room');
  });

  it("says an event in words, or has it in its log, and never both", () => {
    const events = [...NAMED, ...OTHERS].filter(({ type }) => type !== "finished");
    const terminal = { environment: {}, nextLine: () => new Promise<void>(() => undefined), err: () => undefined };
    const logged = (flags: TellingFlags) => peerOptions(flags, "alice", terminal as never).logModules?.events;
    expect([logged({}), logged({ logModule: [["network", "debug"]] })]).toEqual(["silent", "silent"]);
    expect(told(events).err).not.toBe("");
    const asked: TellingFlags = { logModule: [["events", "info"]] };
    expect([logged(asked), told(events, asked).err]).toEqual(["info", ""]);
    // Those at the level that was asked for are lines of the log, the others words.
    const warnings: TellingFlags = { logModule: [["events", "warn"]] };
    const warned = events.filter(({ type }) => eventLogLevel(type) === "warn");
    expect(warned.map(({ type }) => type)).toEqual(["equivocation", "clock", "jumped", "refused"]);
    expect(told(warned, warnings).err).toBe("");
    expect(told(NAMED, warnings).err.trimEnd().split("\n")).toHaveLength(NAMED.length - 2);
    // For a program they stand on standard output alone.
    expect(told(events, { events: true }).err).toBe("");
  });
});
