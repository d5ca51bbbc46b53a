/** Why a peer cannot listen where it was told to. */
import { createSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";
import { NodeError } from "../../errors.ts";

const LISTENED = /^\/ip[46]\/(?<host>[^/]+)\/(?<way>tcp|udp)\/(?<port>\d+)/;

/**
 * libp2p tells only in prose why it could not listen: ask the operating system again, address by address.
 * The error has the code PORT_IN_USE or LISTEN_FAILED, and `cause` as its cause.
 */
export async function listenError(addresses: readonly string[], cause: unknown): Promise<NodeError> {
  for (const address of addresses) {
    const code = await bindCode(address);
    if (code === "EADDRINUSE") return inUse(address, cause);
    if (code !== undefined) {
      const text = `cannot listen on ${address}: ${WHY[code] ?? `${code}; choose an address of this machine and a port you may use`}`;
      return new NodeError("LISTEN_FAILED", text, { address, code }, { cause });
    }
  }
  const text = `cannot listen on ${addresses.join(", ")}; use addresses such as /ip4/127.0.0.1/tcp/0`;
  return new NodeError("LISTEN_FAILED", text, { addresses }, { cause });
}

/** The error that one of these addresses is in use; undefined where none is. */
export async function portInUse(addresses: readonly string[]): Promise<NodeError | undefined> {
  for (const address of addresses) if ((await bindCode(address)) === "EADDRINUSE") return inUse(address);
  return undefined;
}

function inUse(address: string, cause?: unknown): NodeError {
  const text = `${address} is in use by another process; choose another port`;
  return new NodeError("PORT_IN_USE", text, { address }, { cause });
}

/** The system's code for not listening there; undefined where it lets this process, or the address has no port. */
async function bindCode(address: string): Promise<string | undefined> {
  const { host, way, port } = LISTENED.exec(address)?.groups ?? {};
  if (host === undefined || port === undefined) return undefined;
  return await (way === "udp" ? bindUdpCode : bindTcpCode)(host, Number(port));
}

const WHY: Readonly<Record<string, string>> = {
  EACCES:
    "the system lets only the superuser listen on such a port (EACCES); choose one from 1024 on, and have a router or a proxy forward the other one",
  EADDRNOTAVAIL: "this machine has no such address (EADDRNOTAVAIL); choose one that it has, or 0.0.0.0 and :: for all",
  EAFNOSUPPORT: "this machine does not have that kind of address (EAFNOSUPPORT); choose the other one of IPv4 and IPv6",
};

function bindTcpCode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function bindUdpCode(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4", ipv6Only: isIPv6(address) });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? "unknown");
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}
