/** Who says from outside where datagrams come from: over real sockets of this machine, with streams in memory. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, expect, it } from "vitest";
import { relayOf } from "../relayed-address.ts";
import { until } from "../transport.suite.ts";
import { type DatagramSocket, openDatagramSocket } from "./datagram-socket.ts";
import { askWitness, Witness } from "./witness.ts";

const sockets: DatagramSocket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

const signal = new AbortController().signal;

/** One end of a stream in memory, as much of it as small messages use. */
class FakeStream extends EventTarget {
  status = "open";
  other: FakeStream | undefined;
  sent = 0;

  send(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    const event = Object.assign(new Event("message"), { data: { subarray: () => bytes } });
    setImmediate(() => this.other?.dispatchEvent(event));
    return true;
  }

  async close(): Promise<void> {
    setImmediate(() => this.other?.dispatchEvent(new Event("remoteCloseWrite")));
  }

  abort(): void {
    this.status = "aborted";
    for (const end of [this, this.other]) end?.dispatchEvent(new Event("close"));
  }
}

function pair(): readonly [asking: FakeStream, answering: FakeStream] {
  const both = [new FakeStream(), new FakeStream()] as const;
  [both[0].other, both[1].other] = [both[1], both[0]];
  return both;
}

/** A question of a peer, as its stream comes to the witness. */
function question(witness: Witness, peer = "peer"): FakeStream {
  const [asking, answering] = pair();
  const connection = { remotePeer: { toString: () => peer }, remoteAddr: multiaddr("/ip4/127.0.0.1/tcp/5000") };
  void witness.answer(answering as unknown as Stream, connection as unknown as Connection);
  return asking;
}

async function socket(host = "127.0.0.1", port = 0): Promise<DatagramSocket> {
  const made = await openDatagramSocket(host, port);
  sockets.push(made);
  return made;
}

/** A port where nothing is now. */
async function freePort(): Promise<number> {
  const made = await openDatagramSocket("127.0.0.1");
  made.close();
  return made.port;
}

it("sees where datagrams come from, at the port of the same number, and takes none when nobody asks", async () => {
  const port = await freePort();
  const opened: number[] = [];
  const open: typeof openDatagramSocket = async (host, wanted) => {
    const made = await openDatagramSocket(host, wanted);
    opened.push(made.port);
    return made;
  };
  const witness = new Witness(() => [{ host: "127.0.0.1", port }], { open });
  const own = await socket();
  const ask = () => askWitness({ stream: question(witness) as unknown as Stream, host: "127.0.0.1" }, own, signal);
  expect(await ask()).toEqual({ host: "127.0.0.1", port: own.port });
  expect(opened).toEqual([port]);
  await until(() => witness.asking === 0);
  // Free again: somebody else can have it, and the witness takes the next one.
  await socket("127.0.0.1", port);
  expect(await ask()).toEqual({ host: "127.0.0.1", port: own.port });
  expect(opened[1]).not.toBe(port);
});

it("sends no datagram, sees no number but its own, and remembers nothing of a flood", async () => {
  const port = await freePort();
  const witness = new Witness(() => [{ host: "127.0.0.1", port }]);
  const asking = question(witness);
  await until(() => asking.other?.sent === 19);
  const flooding = await socket();
  let came = 0;
  flooding.receive(() => void came++);
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 20; n++) {
    for (let m = 0; m < 250; m++)
      flooding.send(new Uint8Array(m % 2 === 0 ? 16 : 1400).fill(m), { host: "127.0.0.1", port });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([came, witness.asking, asking.other?.sent]).toEqual([0, 1, 19]);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50e6);
  const own = await socket();
  const stream = question(witness) as unknown as Stream;
  expect(await askWitness({ stream, host: "127.0.0.1" }, own, signal)).toEqual({ host: "127.0.0.1", port: own.port });
  asking.abort();
  await until(() => witness.asking === 0);
});

it("has two questions of one key at a time, and so many of all", async () => {
  const witness = new Witness(() => [{ host: "127.0.0.1", port: 40_000 }]);
  const own = [question(witness), question(witness), question(witness)];
  expect(own.map(({ status }) => status)).toEqual(["open", "open", "open"]);
  expect(own.map((one) => one.other?.status)).toEqual(["open", "open", "aborted"]);
  const others = Array.from({ length: 40 }, (_, n) => question(witness, `peer ${n}`));
  expect(others.filter((one) => one.other?.status === "open")).toHaveLength(30);
  for (const one of [...own, ...others]) one.abort();
  await until(() => witness.asking === 0);
});

it("has a half for guests, whose keys are free, and the rest for who is known", async () => {
  const isGuest = (peer: { toString(): string }): boolean => peer.toString().startsWith("guest");
  const witness = new Witness(() => [{ host: "127.0.0.1", port: 40_000 }], { isGuest });
  const guests = Array.from({ length: 40 }, (_, n) => question(witness, `guest ${n}`));
  const known = Array.from({ length: 20 }, (_, n) => question(witness, `peer ${n}`));
  const open = [guests, known].map((all) => all.filter((one) => one.other?.status === "open").length);
  expect(open).toEqual([16, 16]);
  for (const one of [...guests, ...known]) one.abort();
  await until(() => witness.asking === 0);
});

it("is not believed where it says what is no address of a router", async () => {
  const own = await socket();
  for (const said of [
    [],
    [1, 2, 3],
    [...multiaddr("/ip4/203.0.113.7/udp/53").bytes],
    [...multiaddr("/dns4/a.example/udp/4000").bytes],
    [...multiaddr("/ip4/203.0.113.7/udp/4000/quic-v1").bytes],
  ]) {
    const [asking, answering] = pair();
    const answer = askWitness({ stream: asking as unknown as Stream, host: "127.0.0.1" }, own, signal);
    answering.send(Uint8Array.of(18, 255, 255, ...new Uint8Array(16)));
    answering.send(Uint8Array.of(said.length, ...said));
    await expect(answer).rejects.toThrow();
  }
});

it("is the relay before the circuit, and nobody where there is none", () => {
  const [relay, peer] = [
    "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
    "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq",
  ];
  const over = (text: string) => relayOf(multiaddr(text));
  expect(over(`/ip4/203.0.113.1/tcp/9000/p2p/${relay}/p2p-circuit/p2p/${peer}`)).toBe(relay);
  expect(over(`/ip4/203.0.113.1/tcp/9000/p2p/${relay}`)).toBeUndefined();
});
