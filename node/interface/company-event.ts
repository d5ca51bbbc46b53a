/** What operators are told of whom a peer has to talk to, and whom it cannot reach. */
import type { PeerLabel } from "./peer-names.ts";

/**
 * Whether neighbours get through to a public address of this peer: told when so many were asked and none does (isReached:
 * false), and when one does again. isTold: others hear of the address.
 */
export interface AddressEvent {
  readonly type: "address";
  readonly address: string;
  readonly isReached: boolean;
  readonly isTold: boolean;
  readonly asked: number;
}

/** An event of the company, told apart by `type`. */
export type CompanyEvent =
  | AddressEvent
  /** found: the first neighbour; lost: the last one has gone; back: there is one again. */
  | {
      readonly type: "company";
      readonly change: "found" | "lost" | "back";
      readonly peer: string;
      readonly label?: PeerLabel;
      readonly at: string;
    }
  /** There has been no neighbour since this time (ISO 8601), with so many addresses that are dialled again and again. */
  | { readonly type: "alone"; readonly since: string; readonly addresses: number }
  /** A peer that was connected did not become a neighbour. Told as below, and not where `unreachable` tells it. */
  | {
      readonly type: "declined";
      readonly peer: string;
      readonly label?: PeerLabel;
      readonly reason: string;
      /** Since this peer started. */
      readonly times: number;
    }
  /** Told at the first failure, when the reason is another one, and at growing intervals. */
  | {
      readonly type: "unreachable";
      readonly address: string;
      /** Of the peer that the address names. */
      readonly label?: PeerLabel;
      readonly reason: string;
      /** Since this peer started. */
      readonly failures: number;
    };
