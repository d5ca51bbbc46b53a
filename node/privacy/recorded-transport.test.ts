import { describe, expect, test } from "vitest";
import { contentIdOf } from "../../protocol/content-id.ts";
import { createSigner } from "../../protocol/envelope.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { createTestPeer, exchangeSuite, secretKeyOf, type TestNet, thetaOf } from "../exchange/exchange.suite.ts";
import type { EgressLedger, EgressMessage } from "../interface/egress.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { silentLogger, until } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { createRecordedTransport } from "./recorded-transport.ts";

const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };

interface Recorded extends TestNet {
  /** What is on record, by peer. */
  readonly records: Map<string, EgressMessage[]>;
}

function recordedNet(options: { readonly refuses?: (message: EgressMessage) => boolean } = {}): Recorded {
  const hub = createMemoryHub();
  const records = new Map<string, EgressMessage[]>();
  return {
    records,
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => {
      const { peer } = createSigner(secretKey);
      const own: EgressMessage[] = [];
      records.set(peer, own);
      const ledger: EgressLedger = {
        append: async (message) => {
          if (options.refuses?.(message)) throw new Error("the disk is full");
          own.push(message);
        },
        sync: async () => undefined,
        close: async () => undefined,
      };
      const transport = hub.create({ logger }, { peer, ...bounds });
      return createRecordedTransport({ transport, ledger, logger, epsilon: () => undefined });
    },
  };
}

// Whatever an exchange needs of a transport, it finds in one that keeps records.
exchangeSuite("recorded", () => recordedNet());

describe("a recorded transport", () => {
  test("has every message on record: what, to whom, how many bytes", async () => {
    const net = recordedNet();
    const [alice, bob] = [await createTestPeer(net, { seed: 1 }), await createTestPeer(net, { seed: 2 })];
    await alice.exchange.start();
    await bob.exchange.start();
    await bob.transport.dial(alice.transport.addresses()[0]!, new AbortController().signal);
    await until(() => bob.exchange.admitted().length === 1 && alice.exchange.admitted().length === 1);
    await alice.exchange.publish({ round: 0, theta: thetaOf(1, 0), localSteps: 1, sampleCount: 1 });
    await until(() => bob.exchange.latest().length === 1);
    const [ofAlice, ofBob] = [net.records.get(alice.id)!, net.records.get(bob.id)!];
    const kinds = (messages: readonly EgressMessage[]): string[] =>
      [...new Set(messages.map(({ kind }) => kind))].sort();
    expect(kinds(ofAlice)).toEqual(["addresses", "announcement", "handshake", "heads", "update"]);
    expect(kinds(ofBob)).toEqual(["addresses", "handshake", "heads", "request"]);
    const served = ofAlice.find(({ kind }) => kind === "update")!;
    const stored = (await alice.store.get("own/head"))!;
    expect(served).toMatchObject({ to: [bob.id], protocol: "/weft/blob/1", epsilon: null });
    expect(served.bytes).toBeLessThan(stored.byteLength);
    expect(ofAlice.find(({ kind }) => kind === "announcement")).toMatchObject({ to: [bob.id] });
    // The ledger and the network count the same bytes, frames of the streams included, of gossip the message itself.
    const recorded = ofAlice.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(recorded).toBe(alice.transport.bytes().sent);
    await alice.exchange.stop();
    await bob.exchange.stop();
  });

  test("has sketches on record as such, by their content id, and what is not there as an answer", async () => {
    const net = recordedNet();
    const [alice, bob] = await Promise.all([1, 2].map((seed) => net.transport(secretKeyOf(seed), silentLogger)));
    const envelope = Uint8Array.of(1, 2, 3);
    let message = Uint8Array.of(0, 0, 0, 3, ...envelope);
    await alice!.handle(STREAM_PROTOCOLS.sketch, async (stream) => {
      for await (const _ of stream.source);
      await stream.sink([message]);
    });
    await Promise.all([alice!.start(), bob!.start()]);
    const { signal } = new AbortController();
    await bob!.dial(alice!.addresses()[0]!, signal);
    for (const next of [message, new Uint8Array(4)]) {
      message = next;
      const stream = await bob!.open(alice!.peer, STREAM_PROTOCOLS.sketch, signal);
      await stream.sink([Uint8Array.of(7)]);
      for await (const _ of stream.source);
    }
    const ofAlice = net.records.get(alice!.peer)!.filter(({ protocol }) => protocol === STREAM_PROTOCOLS.sketch.name);
    expect(ofAlice.map(({ kind, bytes }) => [kind, bytes])).toEqual([
      ["sketch", 7],
      ["answer", 4],
    ]);
    expect(ofAlice[0]!.content).toBe(contentIdOf(envelope));
    const ofBob = net.records.get(bob!.peer)!.filter(({ protocol }) => protocol === STREAM_PROTOCOLS.sketch.name);
    expect(ofBob.map(({ kind }) => kind)).toEqual(["request", "request"]);
    await Promise.all([alice!.stop(), bob!.stop()]);
  });

  test("names served bytes by their content id, and an empty answer by what it is", async () => {
    const net = recordedNet();
    const [alice, bob] = [
      await net.transport(secretKeyOf(1), silentLogger),
      await net.transport(secretKeyOf(2), silentLogger),
    ];
    const blob = Uint8Array.from({ length: 100 }, (_, i) => i);
    const header = Uint8Array.of(0, 0, 0, 2, 8, 1);
    let answer: Uint8Array[] = [header, blob];
    await alice.handle(STREAM_PROTOCOLS.blob, (stream) => stream.sink(answer));
    await alice.start();
    await bob.start();
    await bob.dial(alice.addresses()[0]!, new AbortController().signal);
    const ask = async (): Promise<void> => {
      const stream = await bob.open(alice.peer, STREAM_PROTOCOLS.blob, new AbortController().signal);
      await stream.sink([]);
      for await (const _ of stream.source);
    };
    await ask();
    answer = [header];
    await ask();
    expect(net.records.get(alice.peer)).toMatchObject([
      { kind: "update", bytes: 106, content: contentIdOf(blob) },
      { kind: "answer", bytes: 6, content: contentIdOf(header) },
    ]);
    expect(net.records.get(bob.peer)).toEqual([]);
    await alice.stop();
    await bob.stop();
  });

  test("sends nothing that it cannot record", async () => {
    const net = recordedNet({ refuses: ({ kind }) => kind === "update" || kind === "announcement" });
    const [alice, bob] = [await createTestPeer(net, { seed: 1 }), await createTestPeer(net, { seed: 2 })];
    await alice.exchange.start();
    await bob.exchange.start();
    await bob.transport.dial(alice.transport.addresses()[0]!, new AbortController().signal);
    await until(() => bob.exchange.admitted().length === 1);
    await alice.exchange.publish({ round: 0, theta: thetaOf(1, 0), localSteps: 1, sampleCount: 1 });
    expect(alice.said).toContain("an announcement was not gossiped");
    // The exchange of heads tells of it all the same; the bytes do not come.
    await bob.exchange.announceAgain();
    await until(() => net.records.get(bob.id)!.some(({ kind }) => kind === "request"));
    expect(bob.exchange.latest()).toEqual([]);
    await alice.exchange.stop();
    await bob.exchange.stop();
  });
});
