/** The record of everything that leaves a peer. */
import type { GossipKind } from "../../protocol/gossip-topics.ts";
import { type StreamKind, streamProtocols } from "../../protocol/stream-protocols.ts";

/**
 * `announcement`: of an own update, by gossip; `relay`: another's, passed on; `update`: bytes of an update, own or
 * another's, to who asked; `sketch`: a data set's, likewise; `request` for such bytes; `answer`: that they are not there;
 * `roster`: entries and motions, to members; `admission`: requests by an invite and what is said to them, the genesis and
 * the manifests after it included; `other`: in ledgers that were begun by an earlier version.
 */
export type EgressKind = GossipKind | StreamKind | "answer" | "other";

/** All of them, in the order in which they are shown; those of streams are what `STREAM_PROTOCOLS` says. */
export const EGRESS_KINDS: readonly EgressKind[] = [
  ...new Set<EgressKind>([
    "announcement",
    "relay",
    "update",
    "sketch",
    "request",
    "answer",
    ...streamProtocols().flatMap(({ egress }) => [egress.opened, egress.answered]),
    "other",
  ]),
];

/** A message that is about to leave. */
export interface EgressMessage {
  readonly kind: EgressKind;
  /** The stream protocol or gossip topic. */
  readonly protocol: string;
  /** Peer ids: whom a stream leads to; of gossip everybody who was connected, who may all receive it. */
  readonly to: readonly string[];
  /** On the stream, without what encryption and multiplexing add. */
  readonly bytes: number;
  /** SHA-256, hexadecimal: of an update's and a sketch's bytes their content id, else of the message with its frame. */
  readonly content: string;
  /** Spent of the privacy budget so far; null without one. */
  readonly epsilon: number | null;
}

/** How much was sent, by kind; kinds of which there was nothing are absent. */
export type EgressTotals = Readonly<Partial<Record<EgressKind, { readonly messages: number; readonly bytes: number }>>>;

/** Where messages are put on record. */
export interface EgressLedger {
  /** Resolves when the message is on record and survives this process; rejects when it is not, and must not be sent. */
  append(message: EgressMessage): Promise<void>;
  /** Resolves when everything appended survives the machine, too. */
  sync(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
