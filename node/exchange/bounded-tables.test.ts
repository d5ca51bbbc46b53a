import { describe, expect, it } from "vitest";
import { readAnnouncement } from "../../protocol/announcement.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { signerOf } from "./exchange.suite.ts";
import { createFetchQueue } from "./fetch-queue.ts";
import { forge } from "./impostor.suite.ts";
import { createKnownHeads } from "./known-heads.ts";
import { createPeerScoring } from "./peer-scoring.ts";

describe("known heads", () => {
  const offer = (heads: ReturnType<typeof createKnownHeads>, seed: number, round: number): boolean => {
    const { announcement } = forge(seed, { round, sequence: round });
    return heads.accept(readAnnouncement(announcement), announcement);
  };

  it("keep the newest of each author, highest rounds first", () => {
    const heads = createKnownHeads({ authorsMax: 8, announcementsPerAuthorMax: 4 });
    expect([
      offer(heads, 1, 1),
      offer(heads, 2, 5),
      offer(heads, 1, 2),
      offer(heads, 1, 2),
      offer(heads, 1, 1),
    ]).toEqual([true, true, true, false, false]);
    expect(heads.all().map((bytes) => readAnnouncement(bytes).round)).toEqual([5, 2]);
    expect(heads.headOf(signerOf(1).peer)?.sequence).toBe(2);
    const { announcement } = forge(1, { round: 2, sequence: 2 });
    expect(heads.has(signerOf(1).peer, announcement)).toBe(true);
    announcement[announcement.byteLength - 1]! ^= 1;
    expect(heads.has(signerOf(1).peer, announcement)).toBe(false);
  });

  it("have room for so many authors; a fresher one takes the stalest place", () => {
    const heads = createKnownHeads({ authorsMax: 2, announcementsPerAuthorMax: 4 });
    expect([offer(heads, 1, 1), offer(heads, 2, 2), offer(heads, 3, 1), offer(heads, 3, 2)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(heads.headOf(signerOf(1).peer)).toBeUndefined();
    expect(heads.all()).toHaveLength(2);
  });
});

describe("a stranger with a thousand keys", () => {
  it("fills no table of authors: whoever tells of most makes room for those that others tell of", () => {
    const heads = createKnownHeads({ authorsMax: 16, announcementsPerAuthorMax: 1 });
    const offer = (seed: number, round: number, from: PeerId): boolean => {
      const { announcement } = forge(seed, { round, sequence: round });
      return heads.accept(readAnnouncement(announcement), announcement, from);
    };
    const [stranger, honest] = [signerOf(250).peer, signerOf(251).peer];
    for (let key = 100; key < 130; key++) offer(key, 64, stranger);
    expect([1, 2, 3].map((seed) => offer(seed, 1, honest))).toEqual([true, true, true]);
    expect(offer(4, 1, signerOf(4).peer)).toBe(true);
    // However many more keys it comes with, and whatever rounds it claims.
    for (let key = 130; key < 160; key++) offer(key, 90, stranger);
    expect([1, 2, 3, 4].map((seed) => heads.headOf(signerOf(seed).peer)?.round)).toEqual([1, 1, 1, 1]);
    expect(heads.all()).toHaveLength(16);
    expect(heads.tellerOf(signerOf(1).peer)).toBe(honest);
  });
});

describe("announcements before the newest", () => {
  it("are so many of each author, the last ones, of what was accepted and of what came late", () => {
    const heads = createKnownHeads({ authorsMax: 1, announcementsPerAuthorMax: 3 });
    const told = (seed: number, sequence: number) => {
      const { announcement } = forge(seed, { round: sequence, sequence });
      return [readAnnouncement(announcement), announcement] as const;
    };
    const known = (seed: number) =>
      [0, 1, 2, 3, 4, 5].filter((sequence) => heads.linkOf(signerOf(seed).peer, sequence) !== undefined);
    // Of who has no newest one nothing is remembered, and nothing that is newer than what was accepted.
    heads.remember(...told(1, 0));
    heads.accept(...told(1, 4));
    heads.remember(...told(1, 5));
    expect(known(1)).toEqual([4]);
    for (const sequence of [1, 3]) heads.remember(...told(1, sequence));
    expect(known(1)).toEqual([1, 3, 4]);
    heads.remember(...told(1, 0));
    expect(known(1)).toEqual([1, 3, 4]);
    expect(heads.accept(...told(1, 5))).toBe(true);
    expect(known(1)).toEqual([3, 4, 5]);
    // What was said first stays, whatever comes under the same number.
    const other = forge(1, { round: 3, sequence: 3, localSteps: 7 }).announcement;
    const first = heads.bytesAt(signerOf(1).peer, 3);
    heads.remember(readAnnouncement(other), other);
    expect(heads.bytesAt(signerOf(1).peer, 3)).toEqual(first);
    heads.accept(...told(2, 6));
    expect([known(1), known(2)]).toEqual([[], []]);
    expect(heads.linkOf(signerOf(2).peer, 6)).toBeDefined();
  });
});

const [A, B, C, D] = [1, 2, 3, 4].map((seed) => signerOf(seed).peer) as [PeerId, PeerId, PeerId, PeerId];

describe("peer scoring", () => {
  const options = { rejectsMax: 2, windowMs: 100, refusalMs: 1000, peersMax: 3 };

  it("refuses a peer at one reject more than allowed, until the time is over", () => {
    const clock = createVirtualClock();
    const scoring = createPeerScoring({ clock }, options);
    expect([scoring.blame(A), scoring.blame(A), scoring.refuses(A), scoring.blame(A)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect([scoring.refuses(A), scoring.refuses(B)]).toEqual([true, false]);
    clock.advance(999);
    expect(scoring.refuses(A)).toBe(true);
    clock.advance(1);
    expect([scoring.refuses(A), scoring.blame(A)]).toEqual([false, false]);
  });

  it("forgets rejects when their window is over", () => {
    const clock = createVirtualClock();
    const scoring = createPeerScoring({ clock }, options);
    for (let i = 0; i < 10; i++) {
      expect(scoring.blame(A)).toBe(false);
      clock.advance(50);
    }
    expect(scoring.refuses(A)).toBe(false);
  });

  it("remembers so many peers, and forgets the one heard of least recently", () => {
    const scoring = createPeerScoring({ clock: createVirtualClock() }, options);
    for (const peer of [A, A, A, B, C]) scoring.blame(peer);
    expect(scoring.refuses(A)).toBe(true);
    scoring.blame(D);
    expect(scoring.refuses(A)).toBe(false);
  });
});

describe("the fetch queue", () => {
  const author = (seed: number) => signerOf(seed).peer;

  it("fetches one thing of an author at a time, the newest of what waits, within its bounds", async () => {
    const begun: string[] = [];
    const open = new Map<string, () => void>();
    const fetch = (item: string): Promise<void> => {
      begun.push(item);
      return new Promise((resolve) => open.set(item, resolve));
    };
    const queue = createFetchQueue<string>({ fetch }, { concurrentMax: 2, authorsMax: 2 });
    const finish = async (item: string): Promise<void> => {
      open.get(item)?.();
      await new Promise((resolve) => setTimeout(resolve));
    };
    for (const item of ["a1", "a2", "a3"]) expect(queue.offer(author(1), item)).toBe(true);
    expect(queue.offer(author(2), "b1")).toBe(true);
    expect(queue.offer(author(3), "c1")).toBe(true);
    expect(queue.offer(author(4), "d1")).toBe(false);
    expect(begun).toEqual(["a1", "b1"]);
    await finish("b1");
    expect(begun).toEqual(["a1", "b1", "c1"]);
    expect([queue.has(author(2)), queue.has(author(3)), queue.has(author(1))]).toEqual([false, true, true]);
    await finish("a1");
    expect(begun).toEqual(["a1", "b1", "c1", "a3"]);
    await finish("a3");
    await finish("c1");
    expect(begun).toHaveLength(4);
    expect([1, 2, 3, 4].some((seed) => queue.has(author(seed)))).toBe(false);
  });

  it("puts authors that are late behind the others, so many of them at a time, and starts what has somebody to ask", () => {
    const begun: string[] = [];
    const late = [author(1), author(2), author(3)];
    let isBusy = true;
    const queue = createFetchQueue<string>(
      {
        fetch: (item) => {
          begun.push(item);
          return new Promise(() => {});
        },
        canStart: (item) => !(isBusy && item === "d"),
        isLate: (peer) => late.includes(peer),
      },
      { concurrentMax: 4, lateMax: 2, authorsMax: 9 },
    );
    for (const [i, item] of ["a", "b", "c", "d"].entries()) queue.offer(author(i + 1), item);
    expect(begun).toEqual(["a", "b"]);
    isBusy = false;
    queue.offer(author(5), "e");
    expect(begun).toEqual(["a", "b", "d", "e"]);
  });
});
