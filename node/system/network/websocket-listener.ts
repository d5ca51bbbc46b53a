/**
 * WebSocket listeners whose sockets have a bound. libp2p's own waits for the first byte and for the request without an end,
 * forgets sockets that have sent none when it closes, takes messages of 100 MiB from whoever has shown nothing yet, and
 * listens to no error of a socket, so that one wrong frame would end the process. Whom it turns away stays for half a minute.
 */
import type { IncomingMessage } from "node:http";
import type { Server, Socket } from "node:net";
import { webSockets } from "@libp2p/websockets";
import type { Libp2pOptions as NodeOptions } from "libp2p";
import { originOfHost } from "./pending-inbound.ts";

/** How many sockets there may be, and how long one may take to ask for the upgrade. */
export interface WebSocketLimits {
  /** Of one listener, whatever they have shown. */
  readonly connectionsMax: number;
  /** Of one address, before the upgrade; an IPv6 network of 64 bits is one address. */
  readonly pendingPerAddressMax: number;
  /** From the connection to the request of the upgrade, which is the first thing that a peer sends. */
  readonly upgradeMsMax: number;
}

/** One message: yamux's largest frames pass several times. Unit: bytes. */
const MESSAGE_BYTES_MAX = 2 ** 20;
/** As long as a visitor has to show something. */
const UPGRADE_MS_MAX = 2_000;

/** For the answer where this side closes; the package ws would wait for half a minute. */
const CLOSE_MS_MAX = 500;
/** RFC 6455, 7.1.5: an end without a word. */
const RESET = 1006;

type TransportFactory = NonNullable<NodeOptions["transports"]>[number];

/** Parts of libp2p's listener that no option reaches (@libp2p/websockets, src/listener.ts). */
interface ListenerParts {
  readonly server: Server;
  readonly wsServer: { readonly options: { maxPayload: number; closeTimeout: number } };
  onWsServerConnection(socket: UpgradedSocket, request: IncomingMessage): void;
  listen(address: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Of libp2p's transport (src/index.ts). */
interface DiallerParts {
  _connect(address: unknown, options: unknown): Promise<ClosableSocket>;
}

interface ClosableSocket {
  close(code?: number): void;
}

/** A socket of the package ws. */
interface UpgradedSocket extends ClosableSocket {
  on(type: "error", told: () => void): void;
  terminate(): void;
}

/** libp2p's WebSocket transport, with bounds on what connects. */
export function boundedWebSockets(
  limits: Omit<WebSocketLimits, "upgradeMsMax"> & Partial<WebSocketLimits>,
): TransportFactory {
  const make = webSockets();
  return (components) => {
    const transport = make(components);
    const createListener = transport.createListener.bind(transport);
    const dialler = transport as unknown as DiallerParts;
    const connect = dialler._connect.bind(dialler);
    dialler._connect = async (address, options) => {
      const socket = await connect(address, options);
      endOnReset(socket, () => socket.close());
      return socket;
    };
    transport.createListener = (options) => {
      const listener = createListener(options);
      bound(listener as unknown as ListenerParts, { upgradeMsMax: UPGRADE_MS_MAX, ...limits });
      return listener;
    };
    return transport;
  };
}

/** Hold a listener to the limits, from before it listens until it is closed. */
function bound(listener: ListenerParts, { connectionsMax, pendingPerAddressMax, upgradeMsMax }: WebSocketLimits): void {
  const { server, wsServer } = listener;
  const pending = new Map<Socket, () => void>();
  const counts = new Map<string, number>();
  server.maxConnections = connectionsMax;
  wsServer.options.maxPayload = MESSAGE_BYTES_MAX;
  wsServer.options.closeTimeout = CLOSE_MS_MAX;
  server.prependListener("connection", (socket: Socket) => {
    const origin = originOfHost(socket.remoteAddress ?? "");
    const count = counts.get(origin) ?? 0;
    // Whatever happens to a socket before libp2p listens, it ends no process.
    socket.on("error", () => socket.destroy());
    if (count >= pendingPerAddressMax) {
      socket.destroy();
      return;
    }
    counts.set(origin, count + 1);
    const tooLong = setTimeout(() => socket.destroy(), upgradeMsMax);
    const end = (): void => {
      if (!pending.delete(socket)) return;
      clearTimeout(tooLong);
      const left = (counts.get(origin) ?? 1) - 1;
      if (left === 0) counts.delete(origin);
      else counts.set(origin, left);
    };
    pending.set(socket, end);
    socket.on("close", end);
  });
  const take = listener.onWsServerConnection.bind(listener);
  listener.onWsServerConnection = (socket, request) => {
    // From here on libp2p's own limits hold: of time, and of connections that show no identity.
    pending.get(request.socket)?.();
    socket.on("error", () => socket.terminate());
    endOnReset(socket, () => socket.terminate());
    take(socket, request);
  };
  const close = listener.close.bind(listener);
  listener.close = async () => {
    const closed = close();
    for (const socket of pending.keys()) socket.destroy();
    await closed;
  };
}

/** libp2p's reset says a code that nobody may send, which sockets refuse: they would stay open. */
function endOnReset(socket: ClosableSocket, end: () => void): void {
  const close = socket.close.bind(socket);
  socket.close = (code) => {
    if (code === RESET) end();
    else close(code);
  };
}
