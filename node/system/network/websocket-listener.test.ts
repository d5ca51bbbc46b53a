/** Whoever connects to a WebSocket listener and never asks for the upgrade, or sends what no peer sends. */
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Transport } from "../../interface/transport.ts";
import { createLibp2pTransport } from "./libp2p.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const PENDING_MAX = 3;
const running: Transport[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function up(seed: number, listen: readonly string[] = []): Promise<Transport> {
  const limits = { connectionsMax: 16, pendingPerAddressMax: PENDING_MAX, ...SUITE_LIMITS };
  const made = await createLibp2pTransport(
    { logger: silentLogger },
    { seed: new Uint8Array(32).fill(seed), listen, ...limits },
  );
  running.push(made);
  await made.start();
  return made;
}

/** A socket to a listener from an address of this machine. */
function knock(port: number, localAddress = "127.0.0.2"): Socket {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  sockets.push(socket.on("error", () => {}).resume());
  return socket;
}

const portAt = (transport: Transport): number => Number(/tcp\/(\d+)/.exec(transport.addresses()[0]!)?.[1]);
const UPGRADE = [
  ...["GET / HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"],
  ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""],
].join("\r\n");

describe.each(["ws", "tls/ws"])("sockets to /%s that never ask for the upgrade", (kind) => {
  it("are shown out after two seconds, whether they say nothing, half a request, half a greeting, or ask for pages", async () => {
    const victim = await up(1, [`/ip4/127.0.0.1/tcp/0/${kind}`]);
    const acts = [
      () => {},
      (socket: Socket) => void socket.write("GET / HTTP/1.1\r\nHost: x\r\n"),
      (socket: Socket) => void socket.write(Uint8Array.of(22, 3, 1, 2, 0, 1)),
      askForPages,
    ];
    const silent = acts.map((act, place) => {
      const socket = knock(portAt(victim), `127.0.0.${2 + place}`);
      act(socket);
      return socket;
    });
    await until(() => silent.every(({ closed }) => closed));
  });

  it("are a few of one address, and keep neither others out nor the peer from stopping", async () => {
    const victim = await up(1, [`/ip4/127.0.0.1/tcp/0/${kind}`]);
    const port = portAt(victim);
    const silent = Array.from({ length: 30 }, () => knock(port));
    await until(() => silent.filter(({ closed }) => closed).length === silent.length - PENDING_MAX);
    if (kind === "ws") expect(await (await up(2)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
    await victim.stop();
    await until(() => silent.every(({ closed }) => closed));
  });
});

function askForPages(socket: Socket): void {
  const ask = () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ask();
  socket.on("data", ask);
}

describe("sockets that were upgraded", () => {
  it.each([
    ["a message of 8 MiB is announced", Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x80, 0, 0])],
    ["frames have bits that mean nothing", Buffer.from([0xf2, 0x80, 1, 2, 3, 4])],
    ["frames are not masked", Buffer.from([0x82, 0x01, 0])],
    ["a text is no UTF-8", Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xff])],
  ])("are closed where %s", async (_, bytes) => {
    const victim = await up(1, ["/ip4/127.0.0.1/tcp/0/ws"]);
    for (const inOne of [true, false]) {
      const socket = knock(portAt(victim));
      socket.write(inOne ? Buffer.concat([Buffer.from(UPGRADE), bytes]) : UPGRADE);
      if (!inOne) socket.once("data", () => socket.write(bytes));
      await until(() => socket.closed);
    }
    expect(await (await up(2)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
  });

  it("are a few of one address until they show who they are", async () => {
    const victim = await up(1, ["/ip4/127.0.0.1/tcp/0/ws"]);
    const silent = Array.from({ length: 12 }, () => knock(portAt(victim)));
    for (const socket of silent) socket.write(UPGRADE);
    await until(() => silent.filter(({ closed }) => closed).length >= silent.length - 2 * PENDING_MAX);
    expect(await (await up(2)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
  });

  it.each([
    ["the listener", 0],
    ["the dialler", 1],
  ])("are closed at once where %s hangs up", async (_, which) => {
    const victim = await up(1, ["/ip4/127.0.0.1/tcp/0/ws"]);
    const friend = await up(2);
    await friend.dial(victim.addresses()[0]!, patient());
    await until(() => victim.connected().length === 1);
    const [one, other] = which === 0 ? [victim, friend] : [friend, victim];
    await one!.hangUp(other!.peer);
    await until(() => other!.connected().length === 0);
  });
});
