import { describe, expect, it } from "vitest";
import type { PeerEvent, RoundSummary } from "../interface/peer-event.ts";
import type { Span } from "../interface/tracing.ts";
import type { Trainer } from "../interface/trainer.ts";
import { EVENTS_MAX, RoundTracer } from "./round-tracer.ts";
import { roundSpanId, traceIdOf } from "./trace-names.ts";

const NETWORK = "ab".repeat(32);

/** A tracer of one peer on a clock that the test moves, and what it has sent. */
function tracerOf(peer: string) {
  const state = { now: 1000, count: 0 };
  const sent: Span[] = [];
  const tracer = new RoundTracer({
    sender: { send: (spans) => void sent.push(...spans) },
    clock: { now: () => state.now },
    spanId: () => (state.count++).toString(16).padStart(16, "0"),
    networkId: NETWORK,
    peer,
  });
  const pass = async (ms: number): Promise<void> => void (state.now += ms);
  return { tracer, sent, pass };
}

const summary = (round: number): RoundSummary =>
  ({
    round,
    lambda: 0.5,
    neighbours: 1,
    trainLoss: 2,
    validationLoss: 3,
    bytes: { sent: 4, received: 5 },
  }) as RoundSummary;
const judged = (from: string): PeerEvent => ({ type: "update", round: 4, from, verdict: "reject", code: "STALE" });
const ended = (round: number): PeerEvent => ({ type: "round", summary: summary(round) }) as PeerEvent;

describe("the spans of a round", () => {
  it("are its phases in the round, with the updates that were judged, and links to the rounds that were mixed in", async () => {
    const { tracer, sent, pass } = tracerOf("alice");
    const trainer = tracer.traced({ train: () => pass(30), evaluate: () => pass(7) } as unknown as Trainer);
    await trainer.train({ steps: 3 });
    await pass(2);
    tracer.note({ type: "published", round: 4, bytes: 99, encoding: 0 });
    await pass(10);
    tracer.note(judged("bob"));
    await tracer.during("aggregate", {}, () => pass(5));
    await trainer.evaluate({ set: "validation" });
    tracer.note({
      type: "mixed",
      round: 4,
      lambda: 1,
      neighbours: [{ peer: "bob", weight: 1, staleness: 1, distance: 2 }],
    });
    tracer.note(ended(4));

    const [round, ...phases] = sent;
    expect(phases.map(({ name, startMs, endMs }) => [name, startMs, endMs])).toEqual([
      ["local steps", 1000, 1030],
      ["publish", 1030, 1032],
      ["collect", 1032, 1042],
      ["aggregate", 1042, 1047],
      ["evaluate", 1047, 1054],
    ]);
    expect(round).toMatchObject({ name: "round 4", startMs: 1000, endMs: 1054 });
    expect(round!.attributes).toMatchObject({ "weft.round": 4, "weft.peer": "alice", "weft.lambda": 0.5 });
    expect(phases.every(({ parentId, traceId }) => parentId === round!.spanId && traceId === round!.traceId)).toBe(
      true,
    );
    expect(phases[2]!.events).toMatchObject([
      { name: "update judged", atMs: 1042, attributes: { "weft.peer": "bob", "weft.reason": "STALE" } },
    ]);
    expect(round!.links).toMatchObject([
      { traceId: traceIdOf(NETWORK, 3), spanId: roundSpanId(NETWORK, 3, "bob"), attributes: { "weft.staleness": 1 } },
    ]);
  });

  it("of all peers stand in one trace, which another round and another network do not share", () => {
    const [alice, bob] = [tracerOf("alice"), tracerOf("bob")];
    for (const { tracer } of [alice, bob]) for (const round of [0, 1]) tracer.note(ended(round));
    expect(bob.sent.map(({ traceId }) => traceId)).toEqual(alice.sent.map(({ traceId }) => traceId));
    expect(bob.sent[0]!.spanId).not.toBe(alice.sent[0]!.spanId);
    expect(alice.sent[0]!.spanId).toBe(roundSpanId(NETWORK, 0, "alice"));
    expect(new Set([traceIdOf(NETWORK, 0), traceIdOf(NETWORK, 1), traceIdOf("cd".repeat(32), 0)]).size).toBe(3);
    expect(traceIdOf(NETWORK, 0)).toMatch(/^[0-9a-f]{32}$/);
  });

  it("hold so many judged updates, whatever comes", () => {
    const { tracer, sent } = tracerOf("alice");
    for (let i = 0; i < 10 * EVENTS_MAX; i++) tracer.note(judged(`peer ${i}`));
    tracer.note(ended(0));
    expect(sent[0]!.events).toHaveLength(EVENTS_MAX);
  });
});
