/** What people may look at and do while a peer runs under one manifest. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { EgressTotals } from "../interface/egress.ts";
import type { PeerLabel } from "../interface/peer-names.ts";
import type { Link } from "../interface/transport.ts";
import type { RosterAction, RosterAnswer } from "../membership/roster-desk.ts";

/** A neighbour, and how it is connected. */
export interface NeighbourLink extends Link {
  /** Whether it has passed the handshake; others are on their way in or out. */
  readonly isNeighbour: boolean;
}

/** A peer that runs, as people see it. */
export interface PeerDesk {
  /** What a peer called itself, where this one saw its request. */
  labelOf(peer: string): PeerLabel;
  /** Every open connection. */
  links(): readonly NeighbourLink[];
  /** On the wire since it started under this manifest. */
  bytes(): { readonly sent: number; readonly received: number };
  /** What the transport measures of itself, in the text format of Prometheus. */
  figures(): Promise<string>;
  /** What it has sent since it started under this manifest, by kind of message. */
  egress(): EgressTotals;
  /** Bytes that an update of plain LoRA would have in this model; undefined for a peer without the model. */
  readonly loraUpdateBytes: number | undefined;
  /** Act on the roster.  Throws: NodeError NOT_ALLOWED in a network that has none; and as actOnRoster. */
  act(action: RosterAction): Promise<RosterAnswer>;
  /** Finish the running steps and begin nothing new; others are heard and served. Idempotent. */
  pause(): void;
  /** Go on. Idempotent. */
  resume(): void;
  /** Refuse these peers, and no others, as if no way led to them. Idempotent. */
  cutOff(peers: readonly PeerId[]): void;
}
