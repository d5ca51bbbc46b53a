/** Two announcements of one author under one number, by whatever way and in whatever order they come. */
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { contentIdOf } from "../../protocol/content-id.ts";
import { FEATURES } from "../../protocol/features.ts";
import { judgeRules } from "../../protocol/judge-context.ts";
import { checkEquivocation, createEquivocationProof } from "../../protocol/membership/equivocation.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { createBackground } from "./background.ts";
import { MANIFEST, signerOf } from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { forge } from "./impostor.suite.ts";
import { Inbox } from "./inbox.ts";
import { Intake } from "./intake.ts";
import { createKnownHeads } from "./known-heads.ts";
import { NeighbourTable } from "./neighbour-table.ts";
import { createOwnChain } from "./own-chain.ts";
import { UpdateNotices } from "./update-notices.ts";

const [SELF, AUTHOR] = [1, 9];
/** Updates of the author's chain; the last ones are in rounds that the receiver would not use any more. */
const LENGTH = 16;
const REMEMBERED = 4;
const verify = createNativeVerifier();
const rules = judgeRules(MANIFEST);
const background = createBackground({ logger: silentLogger });
afterAll(() => background.stop());

/** What the author says under a number in one of two stories. */
const said = new Map<string, Uint8Array>();
const tell = (sequence: number, story: 0 | 1): Uint8Array => {
  const key = `${sequence} ${story}`;
  const known = said.get(key) ?? forge(AUTHOR, { sequence, round: sequence, sampleCount: 1 + story }).announcement;
  said.set(key, known);
  return known;
};

function receiver(round: number) {
  const clock = createVirtualClock();
  const logger = silentLogger;
  const store = createMemoryStore();
  const transport = createMemoryHub().create(
    { logger },
    { peer: signerOf(SELF).peer, streamsPerProtocolMax: 1, gossipBytesMax: 1000 },
  );
  const proofs: Uint8Array[] = [];
  const neighbours = new NeighbourTable(
    // A relay fetches nothing.
    { transport, clock, logger, background, membership: { roleOf: () => "relay" } },
    { ...EXCHANGE_DEFAULTS, features: FEATURES, isMember: () => true },
  );
  neighbours.admit(signerOf(2).peer, FEATURES);
  const intake = new Intake(
    {
      ...{ logger, clock, background, neighbours },
      blobs: { fetch: () => Promise.reject(new Error("nothing is fetched")) },
      inbox: new Inbox({ store, logger }, { ...rules, authorsMax: 4, bytesMax: 1e6 }),
      heads: createKnownHeads({ authorsMax: 4, announcementsPerAuthorMax: REMEMBERED }),
      ownChain: createOwnChain({ store, signer: signerOf(SELF) }, rules),
      identity: { hear: () => {} },
      notices: new UpdateNotices({ neighbours: { blame: () => {} }, logger }),
      onEquivocation: (first, second) =>
        void proofs.push(createEquivocationProof("announcement", [first, second], verify)),
    },
    {
      rules: () => ({ ...rules, self: signerOf(SELF).peer, isMember: () => true, verify, round }),
      ...{ ...EXCHANGE_DEFAULTS, fetchesMax: 1, providersMax: 1, authorsMax: 4 },
      sample: () => undefined,
    },
  );
  const hear = ({ bytes, way }: { readonly bytes: Uint8Array; readonly way: "gossip" | "heads" }): void => {
    if (way === "heads") void intake.takeHeads([bytes], signerOf(2).peer);
    else {
      const judged = intake.judgeGossip(bytes, signerOf(2).peer);
      if (judged.verdict === "accept") intake.takeGossip(judged.message, signerOf(2).peer);
    }
  };
  const judge = (bytes: Uint8Array) => intake.judgeGossip(bytes, signerOf(2).peer);
  return { hear, proofs, judge };
}

const way = fc.constantFrom("gossip" as const, "heads" as const);
const options = { numRuns: 40, seed: 5 };

it("are proven whichever comes first, while no more came between them than is remembered", () => {
  const story = fc.record({
    sequence: fc.nat({ max: LENGTH - 1 }),
    first: fc.constantFrom<0 | 1>(0, 1),
    ways: fc.array(way, { minLength: 64, maxLength: 64 }),
    // What is heard before and between the two: numbers of the one chain, repeated and in any order.
    before: fc.array(fc.nat({ max: LENGTH - 1 }), { maxLength: 4 }),
    between: fc.array(fc.nat({ max: LENGTH - 1 }), { maxLength: REMEMBERED }),
  });
  fc.assert(
    fc.property(story, ({ sequence, first, ways, before, between }) => {
      const { hear, proofs } = receiver(sequence);
      let at = 0;
      const next = (number: number, which: 0 | 1) => hear({ bytes: tell(number, which), way: ways[at++]! });
      const others = (numbers: readonly number[]) => numbers.filter((number) => number !== sequence);
      for (const number of others(before)) next(number, 0);
      next(sequence, first);
      for (const number of others(between)) next(number, 0);
      expect(proofs).toEqual([]);
      next(sequence, first === 0 ? 1 : 0);
      // Forgotten, or never remembered, only where as many later numbers were heard.
      const later = new Set([...before, ...between].filter((number) => number > sequence));
      expect(proofs.length, `${later.size} later ones`).toBe(later.size < REMEMBERED ? 1 : proofs.length);
      for (const proof of proofs) {
        expect(checkEquivocation(proof, verify)).toMatchObject({ author: signerOf(AUTHOR).peer, sequence });
      }
    }),
    options,
  );
});

it("are never found in what one chain says, repeated and in any order", () => {
  const heard = fc.array(fc.record({ number: fc.nat({ max: LENGTH - 1 }), way }), { maxLength: 12 });
  fc.assert(
    fc.property(heard, fc.nat({ max: LENGTH - 1 }), (all, round) => {
      const { hear, proofs } = receiver(round);
      for (const { number, way } of all) hear({ bytes: tell(number, 0), way });
      expect(proofs).toEqual([]);
    }),
    options,
  );
});

it("are found in rounds that are too old to be used, and by no forged signature", () => {
  const { hear, proofs } = receiver(LENGTH - 1);
  hear({ bytes: tell(LENGTH - 1, 0), way: "heads" });
  const forged = tell(0, 1).slice();
  forged[forged.byteLength - 1]! ^= 1;
  for (const bytes of [tell(0, 0), forged]) hear({ bytes, way: "gossip" });
  expect(proofs).toEqual([]);
  hear({ bytes: tell(0, 1), way: "gossip" });
  expect(proofs.map((proof) => contentIdOf(proof))).toEqual([
    contentIdOf(createEquivocationProof("announcement", [tell(0, 1), tell(0, 0)], verify)),
  ]);
});

it("are nobody's fault who passes them on: gossip that proves them is dropped, not rejected", () => {
  const { hear, proofs, judge } = receiver(0);
  hear({ bytes: tell(0, 0), way: "gossip" });
  expect(judge(tell(0, 1))).toEqual({ verdict: "ignore" });
  expect(proofs).toHaveLength(1);
  const forged = tell(1, 0).slice();
  forged[forged.byteLength - 1]! ^= 1;
  expect(judge(forged)).toEqual({ verdict: "reject" });
});
