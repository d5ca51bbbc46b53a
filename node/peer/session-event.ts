/** What becomes of a peer beside its rounds, from one manifest of its network to the next. */
import type { NetworkId } from "../../protocol/network-id.ts";
import type { CutCounts } from "../data/example.ts";
import type { PeerEvent } from "../interface/peer-event.ts";

/** One step of a peer's life. */
export type SessionEvent = { readonly type: "session" } & (
  | { readonly step: "records cut"; readonly cut: CutCounts; readonly maxTokens: number }
  /** The model that it lacked is there: it trains from now on. */
  | { readonly step: "model found" }
  /** The other members are in a later network, and this peer leaves its own for it. */
  | { readonly step: "left behind" }
  /** It goes on under another manifest, whose first round is this one, counted from 0. */
  | { readonly step: "goes on"; readonly network: NetworkId; readonly round: number }
  /** All rounds are done; it serves its updates to others until it is stopped. */
  | { readonly step: "serves" }
);

/** Everything that a peer tells whoever runs it. */
export type PeerNews = PeerEvent | SessionEvent;
