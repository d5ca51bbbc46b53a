/** Where an admin interface may listen: nowhere but on this machine. */
import { NodeError } from "../errors.ts";
import type { AdminAddress } from "../interface/admin.ts";

/** sun_path of sockaddr_un on macOS, the shortest of the systems that have it, without its final zero. */
export const SOCKET_PATH_BYTES_MAX = 103;

/**
 * An address as people write it: `127.0.0.1:PORT`, `[::1]:PORT`, `localhost:PORT`, a port alone, or the absolute path of a
 * socket.  Throws: NodeError CONFIG_INVALID for anything else, an address that other machines reach included.
 */
export function parseAdminAddress(text: string): AdminAddress {
  if (text.startsWith("/")) return socketAt(text);
  const [, host = "127.0.0.1", digits = ""] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) {
    throw new NodeError(
      "CONFIG_INVALID",
      `"${text}" is neither a port (1 to 65535) of this machine nor the path of a socket`,
      {
        text,
      },
    );
  }
  if (host === "127.0.0.1" || host === "localhost") return { kind: "port", host: "127.0.0.1", port };
  if (host === "[::1]") return { kind: "port", host: "::1", port };
  const said = `the admin interface listens on this machine alone (127.0.0.1, [::1] or a socket), not at ${host}`;
  throw new NodeError("CONFIG_INVALID", said, { host });
}

function socketAt(path: string): AdminAddress {
  if (new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX) return { kind: "socket", path };
  const text = `${path} is longer than the ${SOCKET_PATH_BYTES_MAX} bytes that a socket's path may have`;
  throw new NodeError("CONFIG_INVALID", text, { path });
}

/** Where it listens when nothing is said: a socket among the peer's files; any free port where that path is too long. */
export function defaultAdminAddress(socket: string, platform: string): AdminAddress {
  const isShort = new TextEncoder().encode(socket).length <= SOCKET_PATH_BYTES_MAX;
  if (platform !== "win32" && socket.startsWith("/") && isShort) return { kind: "socket", path: socket };
  return { kind: "port", host: "127.0.0.1", port: 0 };
}

/** What a browser calls an interface at a port. */
export function adminUrl({ host, port }: Extract<AdminAddress, { kind: "port" }>): string {
  return `http://${host === "::1" ? "[::1]" : host}:${port}`;
}

/** What a request's Host may be, so that no page of another name reaches an interface at a port through a visitor's browser. */
export function ownHosts(address: AdminAddress): readonly string[] | undefined {
  if (address.kind === "socket") return undefined;
  return ["127.0.0.1", "[::1]", "localhost"].map((name) => `${name}:${address.port}`);
}
