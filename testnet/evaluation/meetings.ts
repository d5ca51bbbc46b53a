/** Who takes part in which round of a simulated swarm, and who hears whom, where it is not everybody. */
import { createPrng } from "../../protocol/prng.ts";

/**
 * ring: each peer hears the one before and the one behind. regular-3: each hears three, by a graph that is drawn once.
 * sampled-4: each hears four others, drawn anew in every round. stragglers: every fourth peer takes part in one round of three
 * only, and the others have what it sent last. churn: each peer misses each round with a chance of a quarter.
 */
export const MEETINGS = ["ring", "regular-3", "sampled-4", "stragglers", "churn"] as const;

/** One of them. */
export type MeetingKind = (typeof MEETINGS)[number];

/** Peers are known by their place in the swarm. */
export interface Meetings {
  /** Whether the peer trains, sends, hears and mixes in this round. */
  isPresent(peer: number, round: number): boolean;
  /** Whether a present peer hears what another present one sends. */
  hears(listener: number, author: number, round: number): boolean;
}

/** Every fourth peer is a straggler, and takes part in one round of so many. */
const [STRAGGLER_EVERY, STRAGGLER_ROUNDS] = [4, 3];
/** The chance to miss a round. */
const CHURN = 0.25;
/** Others whom a peer hears in a round where they are drawn. */
const SAMPLED = 4;

/** The least number of peers; where three are heard the number is even besides. */
export const MEETING_PEERS_MIN: Readonly<Record<MeetingKind, number>> = {
  ring: 3,
  "regular-3": 4,
  "sampled-4": SAMPLED + 1,
  stragglers: STRAGGLER_EVERY,
  churn: 2,
};

/** Everybody is there and hears everybody where no kind is given. */
export function meetingsOf(
  kind: MeetingKind | undefined,
  { peers, seed }: { readonly peers: number; readonly seed: number },
): Meetings {
  const prng = createPrng(seed).fork("meetings");
  const always = (): boolean => true;
  switch (kind) {
    case undefined:
      return { isPresent: always, hears: always };
    case "ring":
      return { isPresent: always, hears: (a, b) => [1, peers - 1].includes((a - b + peers) % peers) };
    case "regular-3": {
      const linked = regularGraph(peers, prng.shuffle.bind(prng));
      return { isPresent: always, hears: (a, b) => linked[a]!.includes(b) };
    }
    case "sampled-4":
      return {
        isPresent: always,
        hears: (listener, author, round) => {
          const others = Array.from({ length: peers }, (_, peer) => peer).filter((peer) => peer !== listener);
          return prng.fork(`${round}-${listener}`).shuffle(others).slice(0, SAMPLED).includes(author);
        },
      };
    case "stragglers":
      return {
        isPresent: (peer, round) =>
          peer % STRAGGLER_EVERY !== STRAGGLER_EVERY - 1 || round % STRAGGLER_ROUNDS === STRAGGLER_ROUNDS - 1,
        hears: always,
      };
    case "churn":
      return { isPresent: (peer, round) => prng.fork(`${round}-${peer}`).uniform() >= CHURN, hears: always };
  }
}

/**
 * A connected graph in which each of an even number of peers has three neighbours: a circle through all in a drawn order, and
 * pairs drawn until none of them are neighbours on the circle.
 */
function regularGraph(peers: number, shuffle: (items: readonly number[]) => number[]): readonly number[][] {
  const circle = shuffle(Array.from({ length: peers }, (_, peer) => peer));
  const linked: number[][] = Array.from({ length: peers }, () => []);
  const link = (a: number, b: number): void => {
    linked[a]!.push(b);
    linked[b]!.push(a);
  };
  for (const [at, peer] of circle.entries()) link(peer, circle[(at + 1) % peers]!);
  for (;;) {
    // Shuffled again and again by one stream whose draws go on.
    const drawn = shuffle(circle);
    const pairs = drawn.flatMap((peer, at) => (at % 2 === 0 ? [[peer, drawn[at + 1]!] as const] : []));
    if (pairs.some(([a, b]) => linked[a]!.includes(b))) continue;
    for (const [a, b] of pairs) link(a, b);
    return linked;
  }
}
