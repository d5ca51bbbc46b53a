/**
 * Bytes that really crossed the wire: the counters of the TCP sockets below encryption and multiplexing, collected
 * through libp2p's metrics hook. Every other metric that libp2p would register is answered with a silent one.
 */
import type { Metrics } from "@libp2p/interface";

/** The part of `net.Socket` that counts. */
export interface CountedSocket {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  once(event: "close", listener: () => void): unknown;
}

export interface WireBytes {
  /** Count a socket from now until it closes. */
  add(socket: CountedSocket): void;
  /** Bytes since the start, open and closed sockets together. */
  total(): { readonly sent: number; readonly received: number };
}

export function createWireBytes(): WireBytes {
  const open = new Set<CountedSocket>();
  let sentByClosed = 0;
  let receivedByClosed = 0;
  return {
    add(socket) {
      if (open.has(socket)) return;
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        sentByClosed += socket.bytesWritten;
        receivedByClosed += socket.bytesRead;
      });
    },
    total() {
      let sent = sentByClosed;
      let received = receivedByClosed;
      for (const socket of open) {
        sent += socket.bytesWritten;
        received += socket.bytesRead;
      }
      return { sent, received };
    },
  };
}

/**
 * libp2p metrics that only feed `bytes`.
 * The TCP transport keeps its socket on the connection; libp2p has no public name for it, so its absence is a
 * programmer's error (another transport was configured) and stops the connection loudly.
 */
export function wireMetrics(bytes: WireBytes): Metrics {
  // One object serves as every kind of metric: whatever is reported to it, it forgets.
  const silent = { update() {}, increment() {}, decrement() {}, reset() {}, observe() {}, timer: () => () => {} };
  return {
    trackMultiaddrConnection(connection) {
      const socket = (connection as { socket?: CountedSocket }).socket;
      if (typeof socket?.bytesRead !== "number" || typeof socket.bytesWritten !== "number") {
        throw new TypeError("this connection has no TCP socket whose bytes could be counted");
      }
      bytes.add(socket);
    },
    trackProtocolStream() {},
    registerMetric: () => silent,
    registerMetricGroup: () => silent,
    registerCounter: () => silent,
    registerCounterGroup: () => silent,
    registerHistogram: () => silent,
    registerHistogramGroup: () => silent,
    registerSummary: () => silent,
    registerSummaryGroup: () => silent,
    traceFunction: (_name: string, fn: never) => fn,
    createTrace: () => undefined,
  };
}
