/** Why a peer cannot listen where it was told to. */
import { createServer } from "node:net";
import { NodeError } from "../../errors.ts";

/**
 * libp2p tells only in prose why it could not listen: ask the operating system again, address by address.
 * The error has the code PORT_IN_USE or LISTEN_FAILED, and `cause` as its cause.
 */
export async function listenError(addresses: readonly string[], cause: unknown): Promise<NodeError> {
  for (const address of addresses) {
    const { host, port } = /^\/ip[46]\/(?<host>[^/]+)\/tcp\/(?<port>\d+)/.exec(address)?.groups ?? {};
    if (host === undefined || port === undefined) continue;
    const code = await bindCode(host, Number(port));
    if (code === "EADDRINUSE") {
      const text = `${address} is in use by another process; choose another port, or 0 for any free one`;
      return new NodeError("PORT_IN_USE", text, { address }, { cause });
    }
    if (code !== undefined) {
      const text = `cannot listen on ${address} (${code}); choose an address of this machine and a port you may use`;
      return new NodeError("LISTEN_FAILED", text, { address, code }, { cause });
    }
  }
  const text = `cannot listen on ${addresses.join(", ")}; use addresses such as /ip4/127.0.0.1/tcp/0`;
  return new NodeError("LISTEN_FAILED", text, { addresses }, { cause });
}

function bindCode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
