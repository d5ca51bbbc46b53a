import { afterEach, describe, expect, it } from "vitest";
import { encodeBlobHeader } from "../../protocol/blob.ts";
import { type ContentId, contentIdOf } from "../../protocol/content-id.ts";
import { FEATURES } from "../../protocol/features.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import type { Transport } from "../interface/transport.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { silentLogger, until } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { createBackground } from "./background.ts";
import { BlobTransfer, fetchBlob } from "./blob-transfer.ts";
import { signerOf } from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { NeighbourTable } from "./neighbour-table.ts";

const BYTES = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) & 0xff);
const ID = contentIdOf(BYTES);
const clock = createVirtualClock();
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function pair(
  serve: (server: Transport) => Promise<void>,
): Promise<readonly [client: Transport, server: Transport]> {
  const hub = createMemoryHub();
  const [client, server] = [1, 2].map((seed) =>
    hub.create(
      { logger: silentLogger },
      { peer: signerOf(seed).peer, streamsPerProtocolMax: 16, gossipBytesMax: 1024 },
    ),
  ) as [Transport, Transport];
  await serve(server);
  await client.start();
  await server.start();
  await client.dial(server.addresses()[0]!, new AbortController().signal);
  stops.push(
    () => client.stop(),
    () => server.stop(),
  );
  return [client, server];
}

const background = createBackground({ logger: silentLogger });
const serving =
  (find: (id: ContentId) => Uint8Array | undefined, isAdmitted = true) =>
  (transport: Transport) => {
    const options = { ...EXCHANGE_DEFAULTS, features: FEATURES, isMember: () => true };
    const neighbours = new NeighbourTable({ transport, clock, logger: silentLogger, background }, options);
    if (isAdmitted) neighbours.admit(signerOf(1).peer, FEATURES);
    const held = { transport, clock, logger: silentLogger, background, neighbours };
    return new BlobTransfer(
      { ...held, find },
      { ...EXCHANGE_DEFAULTS, requestsPerPeerMax: 2, timeoutMs: 1000 },
    ).start();
  };

const request = (server: Transport, contentId = ID, length = BYTES.byteLength) => ({
  peer: server.peer,
  contentId,
  length,
  timeoutMs: 1000,
  signal: new AbortController().signal,
});

describe("blob transfer", () => {
  it("brings exactly the bytes of the content id", async () => {
    const [client, server] = await pair(serving((id) => (id === ID ? BYTES : undefined)));
    const bytes = await fetchBlob({ transport: client, clock }, request(server));
    expect(Buffer.compare(bytes, BYTES)).toBe(0);
    expect(clock.waiting()).toBe(0);
  });

  it("says what is missing, what it was not told, and what nobody may have", async () => {
    const [client, server] = await pair(serving((id) => (id === ID ? BYTES : undefined)));
    const other = contentIdOf(new Uint8Array(1));
    const fetch = (id: ContentId, length: number) =>
      fetchBlob({ transport: client, clock }, request(server, id, length));
    await expect(fetch(other, 1)).rejects.toMatchObject({ code: "BLOB_MISSING" });
    await expect(fetch(ID, BYTES.byteLength - 1)).rejects.toMatchObject({ code: "BLOB_LENGTH" });
    await expect(fetch(ID, LIMITS.updateBytesMax + 1)).rejects.toMatchObject({ code: "BLOB_LENGTH" });
  });

  it("says BLOB_HASH when a server hands out other bytes", async () => {
    const [client, server] = await pair(serving(() => BYTES));
    const other = contentIdOf(BYTES.subarray(1));
    await expect(fetchBlob({ transport: client, clock }, request(server, other))).rejects.toMatchObject({
      code: "BLOB_HASH",
    });
  });

  it("serves nobody before the handshake", async () => {
    const [client, server] = await pair(serving(() => BYTES, false));
    await expect(fetchBlob({ transport: client, clock }, request(server))).rejects.toThrow();
    expect(client.bytes().received).toBe(0);
  });

  it("answers a bounded number of requests of one peer at a time", async () => {
    const [client, server] = await pair(serving((id) => (id === ID ? BYTES : undefined)));
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => fetchBlob({ transport: client, clock }, request(server))),
    );
    const codes = results.map((result) => (result.status === "fulfilled" ? "ok" : result.reason.code)).sort();
    expect(codes).toEqual(["BLOB_BUSY", "BLOB_BUSY", "BLOB_BUSY", "ok", "ok"]);
    await expect(fetchBlob({ transport: client, clock }, request(server))).resolves.toHaveLength(BYTES.byteLength);
  });

  it("gives up on a server that says nothing, and when it is told to stop", async () => {
    const asked: string[] = [];
    const silent = (transport: Transport) =>
      transport.handle(STREAM_PROTOCOLS.blob, async ({ source }, from) => {
        asked.push(from);
        for await (const _ of source);
        await new Promise((_, reject) => stops.push(async () => reject(new Error("over"))));
      });
    const [client, server] = await pair(silent);
    const slow = fetchBlob({ transport: client, clock }, request(server));
    const settled = expect(slow).rejects.toMatchObject({ code: "TIMEOUT" });
    await until(() => asked.length === 1);
    clock.advance(1000);
    await settled;
    const controller = new AbortController();
    const stopped = fetchBlob({ transport: client, clock }, { ...request(server), signal: controller.signal });
    const ended = expect(stopped).rejects.toThrow("stop now");
    await until(() => asked.length === 2);
    controller.abort(new Error("stop now"));
    await ended;
    expect(clock.waiting()).toBe(0);
  });

  it("gives up on a server whose first byte is late, and on one that is slower than the pace", async () => {
    const pace = { firstByteTimeoutMs: 100, paceBytesMin: 1000, paceWindowMs: 200 };
    const go = { on: Promise.withResolvers<void>() };
    let served = 0;
    let received = 0;
    const dripping = (transport: Transport) =>
      transport.handle(STREAM_PROTOCOLS.blob, async (stream) => {
        for await (const _ of stream.source);
        const drops = async function* () {
          for (const bytes of [encodeFrame(encodeBlobHeader({ status: "found", length: 5000 })), ...drip]) {
            served++;
            await go.on.promise;
            yield bytes;
            received++;
          }
        };
        await stream.sink(drops());
      });
    const drip = [new Uint8Array(1000), new Uint8Array(999), new Uint8Array(3001)];
    const [client, server] = await pair(dripping);
    const timeoutMs = 64_000;
    const ask = () => fetchBlob({ transport: client, clock }, { ...request(server), length: 5000, timeoutMs, pace });
    const late = expect(ask()).rejects.toMatchObject({ code: "TIMEOUT", message: /first byte/ });
    await until(() => served === 1);
    clock.advance(100);
    await late;
    const slow = expect(ask()).rejects.toMatchObject({ code: "TIMEOUT", message: /fewer than 1000 bytes/ });
    await until(() => served === 2);
    const next = async (count: number): Promise<void> => {
      const { on } = go;
      go.on = Promise.withResolvers<void>();
      on.resolve();
      await until(() => received >= count);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    // The header begins the first window, in which enough comes; the second one has a byte too few.
    await next(1);
    await next(2);
    clock.advance(200);
    await next(3);
    clock.advance(200);
    await slow;
    go.on.resolve();
    expect(clock.waiting()).toBe(0);
  });

  it("a server gives up on a client that does not ask", async () => {
    const [client, server] = await pair(serving(() => BYTES));
    const stream = await client.open(server.peer, STREAM_PROTOCOLS.blob, new AbortController().signal);
    await until(() => clock.waiting() > 0);
    clock.advance(1000);
    await expect(
      (async () => {
        for await (const _ of stream.source);
      })(),
    ).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
