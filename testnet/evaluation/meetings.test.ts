import { describe, expect, it } from "vitest";
import { MEETINGS, type Meetings, meetingsOf } from "./meetings.ts";

const ROUNDS = Array.from({ length: 60 }, (_, round) => round);
const heard = (meetings: Meetings, listener: number, { peers, round }: { peers: number; round: number }): number[] =>
  Array.from({ length: peers }, (_, author) => author).filter(
    (author) => author !== listener && meetings.hears(listener, author, round),
  );
const present = (meetings: Meetings, peer: number): number[] =>
  ROUNDS.filter((round) => meetings.isPresent(peer, round));

describe("who meets whom", () => {
  it("is everybody where nothing is said", () => {
    const meetings = meetingsOf(undefined, { peers: 5, seed: 1 });
    expect(heard(meetings, 2, { peers: 5, round: 7 })).toEqual([0, 1, 3, 4]);
    expect(present(meetings, 2)).toEqual(ROUNDS);
  });

  it("on a ring is the one before and the one behind", () => {
    const meetings = meetingsOf("ring", { peers: 5, seed: 1 });
    expect(heard(meetings, 0, { peers: 5, round: 3 })).toEqual([1, 4]);
    expect(heard(meetings, 3, { peers: 5, round: 3 })).toEqual([2, 4]);
  });

  it.each([4, 8, 16, 32])("in a regular graph of %d is three others, mutually, and all are connected", (peers) => {
    const meetings = meetingsOf("regular-3", { peers, seed: 3 });
    const of = (peer: number): number[] => heard(meetings, peer, { peers, round: 0 });
    for (let peer = 0; peer < peers; peer++) {
      expect(of(peer)).toHaveLength(3);
      for (const other of of(peer)) expect(of(other)).toContain(peer);
    }
    const reached = new Set([0]);
    for (const peer of reached) for (const other of of(peer)) reached.add(other);
    expect(reached.size).toBe(peers);
  });

  it("by draw is four others, not the same ones in every round", () => {
    const meetings = meetingsOf("sampled-4", { peers: 8, seed: 1 });
    const all = ROUNDS.map((round) => heard(meetings, 2, { peers: 8, round }));
    expect(new Set(all.map(({ length }) => length))).toEqual(new Set([4]));
    expect(new Set(all.flat()).size).toBe(7);
  });

  it("leaves stragglers out of two rounds of three, and the others never", () => {
    const meetings = meetingsOf("stragglers", { peers: 8, seed: 1 });
    const counts = Array.from({ length: 8 }, (_, peer) => present(meetings, peer).length);
    expect(counts).toEqual([60, 60, 60, 20, 60, 60, 60, 20]);
  });

  it("under churn misses about a quarter of the rounds", () => {
    const meetings = meetingsOf("churn", { peers: 8, seed: 1 });
    const share = Array.from({ length: 8 }, (_, peer) => present(meetings, peer).length).reduce((a, b) => a + b) / 480;
    expect(share).toBeGreaterThan(0.7);
    expect(share).toBeLessThan(0.8);
  });

  it.each(MEETINGS)("%s: the same for the same seed", (kind) => {
    const [a, b] = [0, 1].map(() => meetingsOf(kind, { peers: 8, seed: 5 }));
    for (const round of ROUNDS.slice(0, 5)) {
      for (let peer = 0; peer < 8; peer++) {
        expect(heard(a!, peer, { peers: 8, round })).toEqual(heard(b!, peer, { peers: 8, round }));
        expect(a!.isPresent(peer, round)).toBe(b!.isPresent(peer, round));
      }
    }
  });
});
