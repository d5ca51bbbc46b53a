/** What every Transport does, whatever carries it: the conformance suite that each implementation's test runs. */

import { afterEach, describe, expect, it } from "vitest";
import { announcementTopic } from "../../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import type { PeerId } from "../../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import type { NodeError } from "../../errors.ts";
import type { Logger } from "../../interface/logger.ts";
import type { ByteStream, Transport } from "../../interface/transport.ts";

export interface TransportHarness {
  /** A stopped transport with an identity of its own, that can reach all others of this harness. */
  create(dependencies: { readonly logger: Logger }): Promise<Transport>;
}

const PROTOCOL = STREAM_PROTOCOLS.heads;
const PROBE = STREAM_PROTOCOLS.checkup;
const TOPIC = announcementTopic(parseNetworkId("5".repeat(64)));

export function transportSuite(name: string, createHarness: () => TransportHarness): void {
  describe(`${name}: the transport contract`, () => {
    const started: Transport[] = [];
    afterEach(async () => {
      await Promise.all(started.splice(0).map((transport) => transport.stop()));
    });
    const up = async (count: number, logger: Logger = silentLogger): Promise<Transport[]> => {
      const harness = createHarness();
      const transports: Transport[] = [];
      for (let i = 0; i < count; i++) transports.push(await harness.create({ logger }));
      await Promise.all(transports.map((transport) => transport.start()));
      started.push(...transports);
      return transports;
    };
    const connect = async (a: Transport, b: Transport): Promise<void> => {
      await a.dial(b.addresses()[0]!, patient());
      await until(() => a.connected().includes(b.peer) && b.connected().includes(a.peer));
    };

    it("dials by address and learns who answers", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const met: [PeerId, PeerId][] = [];
      a.onConnect((peer) => met.push([a.peer, peer]));
      b.onConnect((peer) => met.push([b.peer, peer]));
      expect(b.addresses()[0]).toMatch(new RegExp(`/p2p/${b.peer}$`));
      expect(await a.dial(b.addresses()[0]!, patient())).toBe(b.peer);
      await until(() => met.length === 2);
      expect(new Map(met)).toEqual(
        new Map([
          [a.peer, b.peer],
          [b.peer, a.peer],
        ]),
      );
      expect(a.connected()).toEqual([b.peer]);
      await a.dial(b.addresses()[0]!, patient());
      expect(a.connected()).toEqual([b.peer]);
      expect(a.links()).toEqual([expect.objectContaining({ peer: b.peer, direction: "outbound", isRelayed: false })]);
      expect(b.links().map(({ peer }) => peer)).toEqual([a.peer]);
    });

    it("says DIAL_FAILED when nobody answers", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const address = b.addresses()[0]!;
      await b.stop();
      await expect(a.dial(address, patient())).rejects.toMatchObject({
        code: "DIAL_FAILED",
      } satisfies Partial<NodeError>);
      await expect(a.dial("no address", patient())).rejects.toMatchObject({ code: "DIAL_FAILED" });
    });

    it("carries five megabytes in both directions at once", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      await b.handle(PROTOCOL, (stream) => stream.sink(map(stream.source, (byte) => byte ^ 0xff)));
      await connect(a, b);
      const sent = pattern(5_000_000);
      const stream = await a.open(b.peer, PROTOCOL, patient());
      const [received] = await Promise.all([collect(stream.source), stream.sink(chunks(sent, 60_000))]);
      expect(received.byteLength).toBe(sent.byteLength);
      expect(received.every((byte, i) => byte === (sent[i]! ^ 0xff))).toBe(true);
      for (const transport of [a, b]) {
        const { sent: out, received: back } = transport.bytes();
        expect(Math.min(out, back)).toBeGreaterThanOrEqual(5_000_000);
        expect(Math.max(out, back)).toBeLessThan(6_000_000);
      }
    });

    it("holds a writer back while the reader does not read", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const read = Promise.withResolvers<void>();
      let receivedBytes = 0;
      await b.handle(PROTOCOL, async (stream) => {
        await read.promise;
        for await (const chunk of stream.source) receivedBytes += chunk.byteLength;
      });
      await connect(a, b);
      const stream = await a.open(b.peer, PROTOCOL, patient());
      const total = 32 * 2 ** 20;
      let offered = 0;
      let reading = false;
      let offeredWhileUnread = 0;
      const done = stream.sink(
        (function* () {
          for (; offered < total; offered += 65_536) {
            if (!reading) offeredWhileUnread = offered;
            yield new Uint8Array(65_536);
          }
        })(),
      );
      // The writer stands still once a second stream has made its way there and back without it moving on.
      await b.handle(PROBE, (probe) => probe.sink(probe.source));
      let before = -1;
      while (before !== offered) {
        before = offered;
        const probe = await a.open(b.peer, PROBE, patient());
        await Promise.all([collect(probe.source), probe.sink([new Uint8Array(1)])]);
      }
      expect(offered).toBeLessThan(total / 2);
      reading = true;
      read.resolve();
      await done;
      await until(() => receivedBytes === total);
      expect(offeredWhileUnread).toBeLessThan(total / 2);
    });

    it("lets one side finish writing while the other goes on", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      await b.handle(PROTOCOL, async (stream) => {
        const request = await collect(stream.source);
        await stream.sink(chunks(pattern(request.byteLength * 1000), 1000));
      });
      await connect(a, b);
      const stream = await a.open(b.peer, PROTOCOL, patient());
      await stream.sink([new Uint8Array(100)]);
      expect((await collect(stream.source)).byteLength).toBe(100_000);
    });

    it("keeps what arrived before anybody reads", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const answered = Promise.withResolvers<void>();
      await b.handle(PROTOCOL, async (stream) => {
        await stream.sink([pattern(1000)]);
        answered.resolve();
        await collect(stream.source);
      });
      await connect(a, b);
      const stream = await a.open(b.peer, PROTOCOL, patient());
      await answered.promise;
      const received = collect(stream.source);
      await stream.sink([]);
      expect(await received).toEqual(pattern(1000));
    });

    it("tells the other side of an abort", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const heard = Promise.withResolvers<unknown>();
      await b.handle(PROTOCOL, (stream) => collect(stream.source).then(() => heard.resolve("ended"), heard.resolve));
      await connect(a, b);
      const stream = await a.open(b.peer, PROTOCOL, patient());
      const held = Promise.withResolvers<void>();
      const writing = stream.sink(
        (async function* () {
          yield new Uint8Array(10);
          await held.promise;
          yield new Uint8Array(10);
        })(),
      );
      stream.abort(new Error("enough"));
      held.resolve();
      await expect(writing).rejects.toMatchObject({ code: "STREAM_FAILED" });
      expect(await heard.promise).toBeInstanceOf(Error);
      await expect(collect(stream.source)).rejects.toThrow();
    });

    it("aborts the stream of a handler that throws, and lives on", async () => {
      const failures: string[] = [];
      const [a, b] = (await up(2, { ...silentLogger, debug: (text) => failures.push(text) })) as [Transport, Transport];
      let calls = 0;
      await b.handle(PROTOCOL, async (stream) => {
        await collect(stream.source);
        if (calls++ === 0) throw new Error("the handler is broken");
        await stream.sink([Uint8Array.of(7)]);
      });
      await connect(a, b);
      const ask = async (): Promise<Uint8Array> => {
        const stream = await a.open(b.peer, PROTOCOL, patient());
        await stream.sink([Uint8Array.of(1)]);
        return collect(stream.source);
      };
      await expect(ask()).rejects.toThrow();
      expect(await ask()).toEqual(Uint8Array.of(7));
      expect(failures).toContain("stream handler failed");
    });

    it("says STREAM_FAILED to strangers and for unknown protocols", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      await expect(a.open(b.peer, PROTOCOL, patient())).rejects.toMatchObject({ code: "STREAM_FAILED" });
      await connect(a, b);
      await expect(a.open(b.peer, PROTOCOL, patient())).rejects.toMatchObject({ code: "STREAM_FAILED" });
      await b.handle(PROTOCOL, async () => {});
      await expect(a.open(b.peer, PROTOCOL, AbortSignal.abort())).rejects.toMatchObject({ code: "STREAM_FAILED" });
    });

    it("bounds the streams of one protocol", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      await b.handle(PROTOCOL, async (stream) => {
        await collect(stream.source);
      });
      await connect(a, b);
      const open: ByteStream[] = [];
      const fill = async (): Promise<void> => {
        for (let i = 0; i < 2 * SUITE_LIMITS.streamsPerProtocolMax; i++)
          open.push(await a.open(b.peer, PROTOCOL, patient()));
      };
      await expect(fill()).rejects.toMatchObject({ code: "STREAM_FAILED" });
      expect(open).toHaveLength(SUITE_LIMITS.streamsPerProtocolMax);
      for (const stream of open) stream.abort(new Error("enough"));
    });

    it("gossips what is accepted, and nothing else, beyond the next peer", async () => {
      const [a, b, c] = (await up(3)) as [Transport, Transport, Transport];
      const delivered: string[] = [];
      const validated: string[] = [];
      const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      const join = (transport: Transport, label: string): void =>
        transport.subscribe(TOPIC, {
          validate: (bytes, from) => {
            validated.push(`${label} ${text(bytes)} ${from === b.peer ? "from b" : ""}`);
            if (text(bytes).startsWith("throw")) throw new Error("the validator is broken");
            if (text(bytes).startsWith("bad")) return { verdict: "reject" };
            return text(bytes).startsWith("late") ? { verdict: "ignore" } : { verdict: "accept", message: text(bytes) };
          },
          deliver: (message) => {
            delivered.push(`${label} ${message}`);
            if (message === "good 1") throw new Error("the listener is broken");
          },
        });
      for (const [transport, label] of [
        [a, "a"],
        [b, "b"],
        [c, "c"],
      ] as const) {
        join(transport, label);
      }
      // A chain: what reaches c has passed b.
      await connect(a, b);
      await connect(b, c);
      // Subscriptions travel on their own; a fresh message goes out until one has made the whole way.
      for (let i = 0; !delivered.some((line) => line.startsWith("c hello")); i++) {
        await a.publish(TOPIC, bytesOf(`hello ${i}`));
        await turn();
      }
      const rest = ["bad 1", "late 1", "throw 1", "good 1", "good 2"];
      for (const message of rest) await a.publish(TOPIC, bytesOf(message));
      await until(() => delivered.includes("c good 1") && delivered.includes("c good 2"));
      const seen = (label: string): string[] =>
        delivered.filter((line) => line.startsWith(`${label} `) && !line.includes("hello")).sort();
      expect(seen("a")).toEqual([]);
      expect(seen("b")).toEqual(["b good 1", "b good 2"]);
      expect(seen("c")).toEqual(["c good 1", "c good 2"]);
      expect(validated).toContain("b bad 1 ");
      expect(validated.filter((line) => line.startsWith("c") && /bad|late|throw/.test(line))).toEqual([]);
      expect(validated).toContain("c good 1 from b");
      expect(new Set(validated).size).toBe(validated.length);
    });

    it("decodes a message once: what was made of it when it was judged is what is delivered", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const made: { readonly byte: number | undefined }[] = [];
      const delivered: unknown[] = [];
      for (const transport of [a, b]) {
        transport.subscribe(TOPIC, {
          validate: ([byte]) => {
            const message = { byte };
            made.push(message);
            return { verdict: "accept", message };
          },
          deliver: (message) => delivered.push(message),
        });
      }
      await connect(a, b);
      for (let i = 0; delivered.length < 3; i++) {
        await a.publish(TOPIC, Uint8Array.of(i));
        await turn();
      }
      await until(() => delivered.length === made.length);
      for (const [i, message] of delivered.entries()) expect(message).toBe(made[i]);
    });

    it("refuses to gossip more than the limit", async () => {
      const [a] = (await up(1)) as [Transport];
      await expect(a.publish(TOPIC, new Uint8Array(SUITE_LIMITS.gossipBytesMax + 1))).rejects.toThrow(RangeError);
      await expect(a.publish(TOPIC, new Uint8Array(SUITE_LIMITS.gossipBytesMax))).resolves.toBeUndefined();
    });

    it("tells both sides when the connection ends", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      const left: PeerId[] = [];
      a.onDisconnect((peer) => left.push(peer));
      b.onDisconnect((peer) => left.push(peer));
      const broken = Promise.withResolvers<unknown>();
      await b.handle(PROTOCOL, (stream) => collect(stream.source).then(() => broken.resolve("ended"), broken.resolve));
      await connect(a, b);
      await a.open(b.peer, PROTOCOL, patient());
      await a.hangUp(b.peer);
      await until(() => left.length === 2);
      expect([...left].sort()).toEqual([a.peer, b.peer].sort());
      expect([...a.connected(), ...b.connected()]).toEqual([]);
      await broken.promise;
      await connect(a, b);
    });

    it("stops as often as asked, and nobody is left connected", async () => {
      const [a, b] = (await up(2)) as [Transport, Transport];
      await connect(a, b);
      await Promise.all([a.stop(), a.stop()]);
      await a.stop();
      await until(() => b.connected().length === 0);
      expect(a.addresses()).toEqual([]);
    });
  });
}

/** Bounds that a harness gives its transports, so that the suite can fill them. */
export const SUITE_LIMITS = { streamsPerProtocolMax: 8, gossipBytesMax: 1024 } as const;

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Resolves when `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

/** The signal of what waits as long as it takes; the test's own timeout is the limit. */
export const patient = (): AbortSignal => new AbortController().signal;

/** One turn of the event loop, so that sockets and timers get on. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += size) yield bytes.subarray(offset, offset + size);
}

async function* map(source: AsyncIterable<Uint8Array>, each: (byte: number) => number): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield chunk.map(each);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}
