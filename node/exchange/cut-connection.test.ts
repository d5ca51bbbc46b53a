/** A connection that somebody on its way cuts, over real sockets: it looks like the end of an answer, and is nobody's fault. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { contentIdOf } from "../../protocol/content-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import type { Transport } from "../interface/transport.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { SUITE_LIMITS, silentLogger } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { fetchBlob } from "./blob-transfer.ts";

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function up(seed: number, listen: readonly string[]): Promise<Transport> {
  const limits = { connectionsMax: 8, ...SUITE_LIMITS };
  const options = { seed: new Uint8Array(32).fill(seed), listen, ...limits };
  const transport = await createLibp2pTransport({ logger: silentLogger }, options);
  stops.push(() => transport.stop());
  await transport.start();
  return transport;
}

/** A program between two peers, which carries bytes until it cuts. */
function between(port: number): { readonly server: Server; readonly sockets: Socket[] } {
  const sockets: Socket[] = [];
  const server = createServer((one) => {
    const other = connect(port, "127.0.0.1");
    sockets.push(one, other);
    for (const socket of [one, other]) socket.on("error", () => {});
    one.pipe(other).pipe(one);
  }).listen(0);
  stops.push(() => void server.close());
  return { server, sockets };
}

const ways: readonly (readonly [string, (sockets: readonly Socket[]) => void])[] = [
  ["ended", (sockets) => sockets.forEach((socket) => void socket.end())],
  ["reset", (sockets) => sockets.forEach((socket) => void socket.resetAndDestroy())],
];

it.each(ways)(
  "a provider whose connection is %s while it looks for the bytes has sent nothing wrong",
  async (_, cut) => {
    const provider = await up(1, ["/ip4/127.0.0.1/tcp/0"]);
    const port = Number(/\/tcp\/(\d+)/.exec(provider.addresses()[0] ?? "")?.[1]);
    const { server, sockets } = between(port);
    await provider.handle(STREAM_PROTOCOLS.blob, async (stream) => {
      for await (const _bytes of stream.source);
      cut(sockets);
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    const client = await up(2, []);
    const address = `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${provider.peer}`;
    await client.dial(address, AbortSignal.timeout(10_000));
    const request = { peer: provider.peer, contentId: contentIdOf(new Uint8Array(3)), length: 3, timeoutMs: 20_000 };
    const fetched = fetchBlob(
      { transport: client, clock: createSystemClock() },
      { ...request, signal: new AbortController().signal },
    );
    await expect(fetched).rejects.toMatchObject({ code: expect.stringMatching(/^BLOB_CUT$|^STREAM_FAILED$/) });
  },
);
