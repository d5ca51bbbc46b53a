/** A UDP socket that looks no names up, waits with little, and never throws: a datagram may always be lost. */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { type Endpoint, plainHost } from "./endpoint.ts";

/** What a hole punch uses of a UDP socket. */
export interface DatagramSocket {
  readonly port: number;
  send(bytes: Uint8Array, to: Endpoint): void;
  /** Told of each datagram from now on, in the place of who was told before. */
  receive(listener: (bytes: Uint8Array, from: Endpoint) => void): void;
  close(): void;
}

/** What may wait to be sent; more is dropped, and QUIC sends it again. Unit: bytes. */
const WAITING_BYTES_MAX = 2 ** 20;
/** What the system may keep until this process reads it, as far as it allows. Unit: bytes. */
const BUFFER_BYTES = 2 ** 20;

/** A socket at an IP address of this machine.  port: 0 for any.  Throws: what the system says. */
export async function openDatagramSocket(host: string, port = 0): Promise<DatagramSocket> {
  const family = isIPv6(host) ? 6 : 4;
  const socket = createSocket({
    type: `udp${family}`,
    ipv6Only: family === 6,
    // Only IP addresses are sent to.
    lookup: (address, _, told) => told(null, address, family),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address: host, port, exclusive: true }, resolve);
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  // What a router or a host says of one datagram concerns no other.
  socket.removeAllListeners("error").on("error", () => {});
  enlarge(socket);
  return new SystemSocket(socket);
}

class SystemSocket implements DatagramSocket {
  readonly port: number;
  readonly #socket: Socket;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
  }

  send(bytes: Uint8Array, { host, port }: Endpoint): void {
    if (this.#isClosed || this.#socket.getSendQueueSize() > WAITING_BYTES_MAX) return;
    this.#socket.send(bytes, port, host, () => {});
  }

  receive(listener: (bytes: Uint8Array, from: Endpoint) => void): void {
    this.#socket.removeAllListeners("message");
    this.#socket.on("message", (bytes, { address, port }) => listener(bytes, { host: plainHost(address), port }));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch {
    // A system that does not allow it has its own size.
  }
}
