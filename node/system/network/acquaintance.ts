/** What a transport's user says of a connected peer, for services of libp2p that know connections only. */
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { Standing } from "../../interface/transport.ts";
import { peerOf } from "./libp2p-peer.ts";

/** How often a question that waits is asked again, and for how long: a greeting takes two round trips, or ten seconds at most. */
const ASK_MS = 100;
const WAIT_MS = 25_000;

/** Asks the user; everybody is known where it has no opinion. */
export class Acquaintance {
  readonly #standingOf: (peer: PeerId) => Standing;
  #isOver = false;

  constructor(standingOf: (peer: PeerId) => Standing = () => "known") {
    this.#standingOf = standingOf;
  }

  standingOf(id: Libp2pPeerId): Standing {
    const peer = peerOf(id);
    return peer === undefined ? "nobody" : this.#standingOf(peer);
  }

  isAdmitted(id: Libp2pPeerId): boolean {
    return this.standingOf(id) !== "nobody";
  }

  /** Whether a peer is admitted, now or soon; its greeting may be under way.  isHere: whether it is still connected. */
  async admits(id: Libp2pPeerId, isHere: () => boolean): Promise<boolean> {
    for (const end = performance.now() + WAIT_MS; performance.now() < end && isHere() && !this.#isOver; ) {
      if (this.isAdmitted(id)) return true;
      await new Promise((resolve) => setTimeout(resolve, ASK_MS).unref());
    }
    return this.isAdmitted(id);
  }

  /** Wait for nobody any more. */
  stop(): void {
    this.#isOver = true;
  }
}
