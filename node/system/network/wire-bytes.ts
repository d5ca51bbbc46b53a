/**
 * Bytes that really crossed the wire: below encryption and multiplexing where there is a TCP socket to ask, collected
 * through libp2p's metrics hook. What libp2p itself registers there goes to its figures.
 */
import type { Metrics } from "@libp2p/interface";
import type { FigureRegister } from "./libp2p-metrics.ts";

/** The part of `net.Socket` that counts. */
export interface CountedSocket {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  once(event: "close", listener: () => void): unknown;
}

/** Counts what crosses the wire. */
export interface WireBytes {
  /** Count a socket from now until it closes. */
  add(socket: CountedSocket): void;
  sent(count: number): void;
  received(count: number): void;
  /** Bytes since the start, open and closed sockets together. */
  total(): { readonly sent: number; readonly received: number };
}

/** A counter at zero. */
export function createWireBytes(): WireBytes {
  const open = new Set<CountedSocket>();
  /** Of closed sockets, and of what is counted message by message. */
  let sentElsewhere = 0;
  let receivedElsewhere = 0;
  return {
    sent(count) {
      sentElsewhere += count;
    },
    received(count) {
      receivedElsewhere += count;
    },
    add(socket) {
      if (open.has(socket)) return;
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        sentElsewhere += socket.bytesWritten;
        receivedElsewhere += socket.bytesRead;
      });
    },
    total() {
      let sent = sentElsewhere;
      let received = receivedElsewhere;
      for (const socket of open) {
        sent += socket.bytesWritten;
        received += socket.bytesRead;
      }
      return { sent, received };
    },
  };
}

/**
 * libp2p metrics that feed `bytes`, and `register` with what libp2p measures itself. A connection over TCP keeps its socket, which counts by itself; one over WebSocket
 * and the streams of one over QUIC are counted by what they hand in and out, without framing. A connection through a relay
 * runs inside of the one to the relay and is counted there. libp2p has no public name for any of these, so their absence is
 * a programmer's error (another transport was configured) and stops the connection loudly.
 *
 * onData: called before libp2p decrypts what a connection received.
 */
export function wireMetrics(
  { bytes, register }: { readonly bytes: WireBytes; readonly register: FigureRegister },
  onData: () => void = () => {},
): Metrics {
  return {
    ...register,
    trackMultiaddrConnection(connection) {
      const parts = connection.remoteAddr.getComponents().map(({ name }) => name);
      if (parts.includes("p2p-circuit") || parts.includes("quic-v1")) return;
      beforeData(connection, onData);
      const socket = (connection as { socket?: CountedSocket }).socket;
      if (typeof socket?.bytesRead === "number" && typeof socket.bytesWritten === "number") bytes.add(socket);
      else countMessages(connection, bytes);
    },
    trackProtocolStream(stream) {
      if (stream.constructor.name === "QuicStream") countMessages(stream, bytes);
    },
    traceFunction: (_name: string, fn: never) => fn,
    createTrace: () => undefined,
  };
}

/** How libp2p's message streams hand bytes in and out. */
interface MessageStream {
  onData(data: { readonly byteLength: number }): void;
  sendData(data: { readonly byteLength: number }): unknown;
}

function beforeData(connection: object, call: () => void): void {
  const received = connection as Partial<MessageStream>;
  const { onData } = received;
  if (onData === undefined) return;
  received.onData = (data) => {
    call();
    onData.call(connection, data);
  };
}

function countMessages(stream: object, bytes: WireBytes): void {
  const counted = stream as MessageStream;
  const { onData, sendData } = counted;
  if (typeof onData !== "function" || typeof sendData !== "function") {
    throw new TypeError("this connection has neither a TCP socket nor messages whose bytes could be counted");
  }
  counted.onData = (data) => {
    bytes.received(data.byteLength);
    onData.call(stream, data);
  };
  counted.sendData = (data) => {
    bytes.sent(data.byteLength);
    return sendData.call(stream, data);
  };
}
