/** Peers that exchange updates, over whatever transport: the fixture of this folder's tests, and the cases all share. */

import { afterEach, describe, expect, it } from "vitest";
import type { Signer } from "../../protocol/envelope.ts";
import { MANIFEST_DEFAULTS, type NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { createExchange, type Exchange, type ExchangeOptions } from "./exchange.ts";

/** P of the test network. */
export const P = 10;

export const MANIFEST: NetworkManifest = {
  schema: "weft-network/1",
  name: "test",
  seed: 7,
  model: {
    family: "llama",
    digest: { weights: "a".repeat(64), config: "b".repeat(64), tokenizer: "c".repeat(64) },
  },
  adapter: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" },
  tensors: [
    { name: "q_proj.A", shape: [1, 5] },
    { name: "q_proj.B", shape: [5, 1] },
  ],
  ...MANIFEST_DEFAULTS,
  rounds: { ...MANIFEST_DEFAULTS.rounds, count: 100 },
  bootstrap: [],
};

export interface TestPeer {
  readonly exchange: Exchange;
  readonly transport: Transport;
  readonly store: Store;
  readonly signer: Signer;
  readonly id: PeerId;
  readonly updates: UpdateNotice[];
  /** Texts at info and above, with their reason where they have one. */
  readonly said: string[];
}

/** One network that test peers share. */
export interface TestNet {
  readonly clock: Clock;
  /** A stopped transport with the identity of a secret key of 32 bytes. */
  transport(secretKey: Uint8Array, logger: Logger): Promise<Transport>;
}

export interface TestPeerOptions {
  /** Which identity: 1 to 255. */
  readonly seed: number;
  readonly store?: Store;
  readonly exchange?: Partial<ExchangeOptions>;
}

export const secretKeyOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);
export const signerOf = (seed: number): Signer => createNativeSigner(secretKeyOf(seed));

/** The adapter that a test peer publishes in a round: P values that name both. */
export const thetaOf = (seed: number, round: number): Float32Array =>
  Float32Array.from({ length: P }, (_, i) => seed + round / 100 + i / 4);

export async function createTestPeer(net: TestNet, { seed, store, exchange }: TestPeerOptions): Promise<TestPeer> {
  const said: string[] = [];
  const say = (text: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void said.push("reason" in fields ? `${text}: ${fields.reason}` : text);
  const logger: Logger = { debug() {}, info: say, warn: say, error: say };
  const transport = await net.transport(secretKeyOf(seed), logger);
  const signer = signerOf(seed);
  const kept = store ?? createMemoryStore();
  const dependencies = { transport, store: kept, clock: net.clock, logger, signer, verify: createNativeVerifier() };
  const peer: TestPeer = {
    exchange: createExchange(dependencies, { manifest: MANIFEST, ...exchange }),
    transport,
    store: kept,
    signer,
    id: signer.peer,
    updates: [],
    said,
  };
  peer.exchange.onUpdate((event) => peer.updates.push(event));
  await peer.exchange.start();
  peer.exchange.setRound(0);
  return peer;
}

export async function connect(a: TestPeer, b: TestPeer): Promise<void> {
  await dial(a, b);
  await until(() => a.exchange.admitted().includes(b.id) && b.exchange.admitted().includes(a.id));
}

export async function dial(a: TestPeer, b: TestPeer): Promise<void> {
  await a.transport.dial(b.transport.addresses()[0]!, patient());
}

export async function publish(peer: TestPeer, seed: number, round: number): Promise<void> {
  await peer.exchange.publish({ round, theta: thetaOf(seed, round), localSteps: 3, sampleCount: 40 + seed });
}

/** Rounds of the newest updates that a peer has, by author. */
export function roundsOf(peer: TestPeer): Record<PeerId, number> {
  return Object.fromEntries(peer.exchange.latest().map((update) => [update.peer, update.round]));
}

export function exchangeSuite(name: string, createNet: () => TestNet): void {
  describe(`${name}: the exchange of updates`, () => {
    const peers: TestPeer[] = [];
    afterEach(async () => {
      await Promise.all(peers.splice(0).map((peer) => peer.exchange.stop()));
    });
    const up = async (net: TestNet, options: TestPeerOptions): Promise<TestPeer> => {
      const peer = await createTestPeer(net, options);
      peers.push(peer);
      return peer;
    };

    it("brings what two peers publish to each other, value for value", async () => {
      const net = createNet();
      const a = await up(net, { seed: 1 });
      const b = await up(net, { seed: 2 });
      await connect(a, b);
      await publish(a, 1, 0);
      await publish(b, 2, 0);
      await a.exchange.announceAgain();
      // Listeners are told once the store has it.
      await until(() => a.updates.length === 1 && b.updates.length === 1);
      expect(b.exchange.latest()).toEqual([{ peer: a.id, round: 0, theta: thetaOf(1, 0), sampleCount: 41 }]);
      expect(a.exchange.latest()).toEqual([{ peer: b.id, round: 0, theta: thetaOf(2, 0), sampleCount: 42 }]);
      expect(a.updates).toEqual([{ from: b.id, round: 0, verdict: "accept", code: "ACCEPTED" }]);
      expect(a.exchange.counts()).toEqual({ accepted: 1, ignored: 0, rejected: 0, codes: { ACCEPTED: 1 } });
      const { sent, received } = a.exchange.bytes();
      expect(Math.min(sent, received)).toBeGreaterThan(200);
    });

    it("keeps the newest update of each of four peers through several rounds", async () => {
      const net = createNet();
      const four: TestPeer[] = [];
      for (const seed of [1, 2, 3, 4]) four.push(await up(net, { seed }));
      // A line, not a clique: what the ends publish has to pass the middle.
      for (let i = 0; i < 3; i++) await connect(four[i]!, four[i + 1]!);
      for (const round of [0, 1, 2]) {
        for (const [i, peer] of four.entries()) {
          peer.exchange.setRound(round);
          await publish(peer, i + 1, round);
        }
        const complete = (peer: TestPeer): boolean =>
          Object.values(roundsOf(peer)).filter((r) => r === round).length === 3;
        while (!four.every(complete)) {
          await Promise.all(four.map((peer) => peer.exchange.announceAgain()));
          await until(() => true);
        }
      }
      for (const [i, peer] of four.entries()) {
        const expected = four
          .filter((_, j) => j !== i)
          .map((other) => ({ peer: other.id, theta: thetaOf(four.indexOf(other) + 1, 2) }));
        const sorted = expected.sort((x, y) => (x.peer < y.peer ? -1 : 1));
        expect(peer.exchange.latest().map(({ peer: id, theta }) => ({ peer: id, theta }))).toEqual(sorted);
        expect(peer.exchange.counts().rejected).toBe(0);
      }
    });

    it("gives a late joiner what was published before it came, from whoever is still there", async () => {
      const net = createNet();
      const a = await up(net, { seed: 1 });
      const b = await up(net, { seed: 2 });
      await connect(a, b);
      await publish(a, 1, 0);
      await publish(a, 1, 1);
      await until(() => roundsOf(b)[a.id] === 1);
      await a.exchange.stop();
      const late = await up(net, { seed: 3 });
      await connect(late, b);
      await until(() => roundsOf(late)[a.id] === 1);
      expect(late.exchange.latest()[0]?.theta).toEqual(thetaOf(1, 1));
    });

    it("refuses a peer of another network, and names the field in which it differs", async () => {
      const net = createNet();
      const manifest = { ...MANIFEST, training: { ...MANIFEST.training, learningRate: 0.5 } };
      const a = await up(net, { seed: 1 });
      const b = await up(net, { seed: 2, exchange: { manifest } });
      await publish(b, 2, 0);
      await dial(a, b);
      await until(() => a.said.length > 0 && b.said.length > 0);
      await until(() => a.transport.connected().length === 0 && b.transport.connected().length === 0);
      const own = MANIFEST.training.learningRate;
      expect(a.said).toEqual([
        `peer refused: the peer is in another network: training.learningRate is 0.5 there and ${own} here`,
      ]);
      expect(b.said).toEqual([
        `peer refused: the peer is in another network: training.learningRate is ${own} there and 0.5 here`,
      ]);
      expect([...a.exchange.admitted(), ...b.exchange.admitted(), ...a.exchange.latest()]).toEqual([]);
    });

    it("tells who is admitted and who left", async () => {
      const net = createNet();
      const a = await up(net, { seed: 1 });
      const b = await up(net, { seed: 2 });
      const events: string[] = [];
      a.exchange.onAdmitted((peer) => events.push(`admitted ${peer === b.id}`));
      a.exchange.onLeft((peer) => events.push(`left ${peer === b.id}`));
      await connect(a, b);
      await b.exchange.stop();
      await until(() => events.length === 2);
      expect(events).toEqual(["admitted true", "left true"]);
      expect(a.exchange.admitted()).toEqual([]);
    });
  });
}
