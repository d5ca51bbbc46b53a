import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { listenError } from "./listen-error.ts";

const why = async (address: string) => {
  const { code, message } = await listenError([address], new Error("no valid addresses"));
  return [code, message];
};

it("says of TCP and of UDP alike whether the port is taken, or the address is none of this machine", async () => {
  const server = createServer();
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const tcp = `/ip4/127.0.0.1/tcp/${(server.address() as { port: number }).port}/ws`;
  const udp = `/ip4/127.0.0.1/udp/${socket.address().port}/quic-v1`;
  for (const address of [tcp, udp]) {
    expect(await why(address)).toEqual(["PORT_IN_USE", `${address} is in use by another process; choose another port`]);
  }
  for (const address of ["/ip4/192.0.2.77/tcp/9000", "/ip4/192.0.2.77/udp/9000/quic-v1"]) {
    expect(await why(address)).toEqual([
      "LISTEN_FAILED",
      expect.stringContaining(`cannot listen on ${address}: this machine has no such address (EADDRNOTAVAIL)`),
    ]);
  }
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await new Promise<void>((resolve) => socket.close(resolve));
});
