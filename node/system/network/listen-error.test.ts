import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
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

/** Below this one only the superuser listens; some containers let everybody. */
const firstFree = (): number => {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  } catch {
    return 0;
  }
};

it.skipIf(firstFree() <= 443)("says that a port is the superuser's, and what to do", () => {
  const code = `const { listenError } = await import(${JSON.stringify(import.meta.resolve("./listen-error.ts"))});
    console.log((await listenError(["/ip4/127.0.0.1/tcp/443"], new Error("none"))).message);`;
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const words = ["--input-type=module", "--eval", code];
  const said = execFileSync(process.execPath, words, { ...asNobody, encoding: "utf8" });
  expect(said).toMatch(
    /tcp\/443: the system lets only the superuser listen on such a port \(EACCES\); choose one from 1024 on/,
  );
});
