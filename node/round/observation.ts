/**
 * A member that lacks the network's model cannot train. It keeps the newest update of each author and hands it on, as every
 * member does. It has no rounds of its own, and follows those of the others.
 */
import type { UpdateExchange } from "../interface/exchange.ts";
import type { PeerEvent } from "../interface/peer-event.ts";

/** Goes on for the exchange's life. */
export function observeRounds({
  exchange,
  emit,
}: {
  readonly exchange: UpdateExchange;
  readonly emit: (event: PeerEvent) => void;
}): void {
  const follow = (): void => {
    const rounds = exchange
      .latest()
      .map(({ round }) => round)
      .sort((a, b) => a - b);
    // The lower middle: of two, the one that is behind.
    const middle = rounds[(rounds.length - 1) >> 1];
    if (middle !== undefined) exchange.setRound(middle, { catchingUp: true });
  };
  exchange.onUpdate(({ from, round, verdict, code }) => {
    emit({ type: "update", round: round ?? 0, from, verdict, code });
    if (verdict === "accept") follow();
  });
  follow();
}
