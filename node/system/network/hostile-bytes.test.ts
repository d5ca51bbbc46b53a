/** Bytes below every protocol of this program: at the socket, at the encryption and at the multiplexer, from who keeps no rule. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { noise } from "@chainsafe/libp2p-noise";
import type { MultiaddrConnection } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { webSockets } from "@libp2p/websockets";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it } from "vitest";
import type { Transport } from "../../interface/transport.ts";
import { createLibp2pTransport } from "./libp2p.ts";
import { quicTransport } from "./reach.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function up(seed: number, listen: readonly string[] = []): Promise<Transport> {
  const made = await createLibp2pTransport(
    { logger: silentLogger },
    { seed: new Uint8Array(32).fill(seed), listen, connectionsMax: 64, pendingPerAddressMax: 32, ...SUITE_LIMITS },
  );
  running.push(made);
  await made.start();
  return made;
}

/** A multistream line as it is sent: its length, the text and the end of the line. */
const line = (text: string): Buffer => Buffer.concat([Buffer.of(text.length + 1), Buffer.from(`${text}\n`)]);
const MULTISTREAM = line("/multistream/1.0.0");
const NOISE = line("/noise");
const BEGINNINGS = [
  Buffer.of(),
  MULTISTREAM,
  Buffer.concat([MULTISTREAM, NOISE]),
  Buffer.concat([MULTISTREAM, NOISE, Buffer.of(0, 32), randomBytes(32)]),
  Buffer.concat([MULTISTREAM, Buffer.of(255, 255, 255, 255, 15)]),
];

/** Frames of yamux with random fields, valid versions and lengths up to the largest there are. */
function frames(): Uint8Array {
  const all = Array.from({ length: 40 }, (_, n) => {
    const frame = randomBytes(12 + (n % 20));
    frame[0] = n % 5 === 0 ? 1 : 0;
    frame[1] = n % 6;
    if (n % 3 === 0) frame.writeUInt32BE(n % 2 === 0 ? 0xffffffff : n, 8);
    return frame;
  });
  return Buffer.concat(all);
}

/** A node that encrypts as it should, and sends what it likes where streams would be. */
async function wildNode(send: (connection: MultiaddrConnection) => void) {
  const node = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      () => {
        const real = yamux()();
        return {
          ...{ protocol: real.protocol, [Symbol.toStringTag]: "wild" },
          createStreamMuxer: (connection: MultiaddrConnection) => {
            const muxer = real.createStreamMuxer(connection);
            setTimeout(() => send(connection), 1);
            return muxer;
          },
        } as never;
      },
    ],
  });
  running.push(node);
  await node.start();
  return node;
}

describe.each(["tcp/0", "tcp/0/ws"])("a peer that listens at /%s goes on", (kind) => {
  const listen = [`/ip4/127.0.0.1/${kind}`];

  it("whatever comes at the socket, before there is an identity", async () => {
    const victim = await up(1, listen);
    const port = Number(/tcp\/(\d+)/.exec(victim.addresses()[0]!)?.[1]);
    const sockets = Array.from({ length: 60 }, (_, n) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: `127.0.0.${2 + (n % 20)}` }).on(
        "error",
        () => {},
      );
      socket.write(Buffer.concat([BEGINNINGS[n % BEGINNINGS.length]!, randomBytes(1 + 30 * n)]));
      if (n % 2 === 0) setTimeout(() => socket.resetAndDestroy(), 20 * (n % 7));
      return socket;
    });
    expect(await (await up(2)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
    for (const socket of sockets) socket.destroy();
  });

  it("whatever comes where streams should begin, from who has shown an identity", async () => {
    const victim = await up(1, listen);
    for (const send of [
      (connection: MultiaddrConnection) => void connection.send(frames()),
      (connection: MultiaddrConnection) => void connection.send(randomBytes(100_000)),
      (connection: MultiaddrConnection) => connection.abort(new Error("gone")),
      (connection: MultiaddrConnection) => {
        for (let n = 0; n < 50; n++) connection.send(frames());
        void connection.close().catch(() => {});
      },
    ]) {
      const wild = await wildNode((connection) => {
        // It may be cut off by then.
        try {
          send(connection);
        } catch {}
      });
      await wild.dial(multiaddr(victim.addresses()[0])).catch(() => {});
      await until(() => wild.getConnections().length === 0 || victim.connected().length > 0);
    }
    expect(await (await up(2)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
  });
});

it("a peer that listens over QUIC goes on whatever packets come", async (test) => {
  if ((await quicTransport()) === undefined) test.skip("no QUIC binding for this machine");
  const victim = await up(1, ["/ip4/127.0.0.1/udp/0/quic-v1"]);
  const port = Number(/udp\/(\d+)/.exec(victim.addresses()[0]!)?.[1]);
  const socket = createSocket("udp4");
  running.push({ stop: () => void socket.close() });
  for (let n = 0; n < 300; n++) {
    const bytes = randomBytes(1 + ((37 * n) % 1400));
    // Long and short headers of versions 1 and 2, and none.
    bytes[0] = [0xc0, 0xe0, 0x40, 0xff][n % 4]! | (n % 16);
    if (bytes.length > 5) bytes.writeUInt32BE([1, 0x6b3343cf, 0, n][n % 4]!, 1);
    socket.send(bytes, port, "127.0.0.1");
  }
  expect(await (await up(2, ["/ip4/127.0.0.1/udp/0/quic-v1"])).dial(victim.addresses()[0]!, patient())).toBe(
    victim.peer,
  );
});
