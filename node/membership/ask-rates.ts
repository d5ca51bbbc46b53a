/** How often each neighbour may ask for something that costs this peer bytes. */
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";

export interface AskRates {
  /** Count one question.  Throws: NodeError TOO_OFTEN. */
  count(peer: PeerId): void;
}

/** `what`: in the words of the refusal. `peersMax`: who is remembered, the oldest forgotten first. */
export function createAskRates(
  { clock }: { readonly clock: Pick<Clock, "now"> },
  {
    what,
    perWindowMax,
    windowMs,
    peersMax,
  }: { readonly what: string; readonly perWindowMax: number; readonly windowMs: number; readonly peersMax: number },
): AskRates {
  const windows = new Map<PeerId, { readonly sinceMs: number; asked: number }>();
  return {
    count(peer) {
      const nowMs = clock.now();
      const known = windows.get(peer);
      const window = known !== undefined && nowMs - known.sinceMs < windowMs ? known : { sinceMs: nowMs, asked: 0 };
      windows.delete(peer);
      windows.set(peer, window);
      const [oldest] = windows.keys();
      if (windows.size > peersMax && oldest !== undefined) windows.delete(oldest);
      if (++window.asked > perWindowMax) throw new NodeError("TOO_OFTEN", `${peer} asks for ${what} too often`);
    },
  };
}
