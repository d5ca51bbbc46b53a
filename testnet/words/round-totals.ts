/** What a peer's rounds come to. */
import type { PeerReport, PeerView } from "../../node/index.ts";

/** Bytes, seconds and judged updates of all rounds together. */
export function roundTotals(rounds: PeerView["rounds"]): Pick<PeerReport, "bytes" | "seconds" | "updates"> {
  const sum = (value: (round: PeerView["rounds"][number]) => number): number =>
    rounds.reduce((total, round) => total + value(round), 0);
  return {
    bytes: { sent: sum((r) => r.bytes.sent), received: sum((r) => r.bytes.received) },
    seconds: {
      train: sum((r) => r.seconds.train),
      network: sum((r) => r.seconds.network),
      aggregate: sum((r) => r.seconds.aggregate),
      total: sum((r) => r.seconds.total),
    },
    updates: {
      accepted: sum((r) => r.updates.accepted),
      ignored: sum((r) => r.updates.ignored),
      rejected: sum((r) => r.updates.rejected),
    },
  };
}
