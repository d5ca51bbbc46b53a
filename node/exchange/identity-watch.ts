/**
 * Whether this identity signs elsewhere as well. A data directory that was copied, or brought back from an old backup, knows
 * less of its own chain than its neighbours do; whoever signs on from there signs two updates under one number, and is
 * barred for it. So what neighbours remember of this peer is heard before it signs, and where it does not fit, it stops.
 */
import { peerIdOfAddress } from "../../protocol/addresses.ts";
import type { Announcement } from "../../protocol/announcement.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Logger } from "../interface/logger.ts";
import type { OwnChain } from "./own-chain.ts";

/** What is watched and who is told. */
export interface IdentityWatchDependencies {
  readonly self: PeerId;
  readonly ownChain: OwnChain;
  readonly logger: Logger;
  /** Where this peer itself listens. */
  readonly ownAddresses: () => readonly string[];
}

/** Addresses of another process with this identity that are remembered. */
const ADDRESSES_MAX = 4;

/** What this peer's neighbours say of itself, and whether it may sign. */
export class IdentityWatch {
  readonly #dependencies: IdentityWatchDependencies;
  readonly #addresses = new Set<string>();
  readonly #listeners: (() => void)[] = [];
  #hasHistory = false;
  #isCleared = false;
  #hasAdopted = false;
  #double: NodeError | undefined;

  constructor(dependencies: IdentityWatchDependencies) {
    this.#dependencies = dependencies;
  }

  /** The own chain is loaded. Nothing of it is told before a neighbour has said what it remembers. */
  begin(): void {
    this.#hasHistory = this.#dependencies.ownChain.head() !== undefined;
  }

  /** An announcement that carries this identity's signature came from a neighbour. `isFresh`: by gossip, as it was made. */
  hear(announcement: Announcement, { isFresh }: { readonly isFresh: boolean }): void {
    const { ownChain } = this.#dependencies;
    const { sequence, contentId } = announcement;
    const last = ownChain.last();
    if (last !== undefined && sequence <= last.sequence) {
      const known = last.sequence === sequence ? last.contentId : ownChain.signed(sequence);
      if (known === undefined || known === contentId) return;
      // Signed in this life, while nobody was there: what nobody was shown can be forgotten.
      const isUnseen = !this.#hasHistory && !this.#isCleared && ownChain.signed(sequence) === known;
      if (isUnseen) this.#goOnAfter(announcement, { instead: true });
      else this.#stop(sequence);
      return;
    }
    const hasSigned = ownChain.head() !== undefined;
    // A store that was lost knows nothing, and its owner goes on where neighbours say that it stopped.
    const isLost = !this.#hasHistory && !(hasSigned && this.#isCleared) && !(isFresh && this.#hasAdopted);
    if (isLost) this.#goOnAfter(announcement, { instead: hasSigned });
    else this.#stop(sequence);
  }

  /** A neighbour has said all that it remembers. */
  heardHeads(): void {
    if (this.#isCleared || this.#double !== undefined) return;
    this.#isCleared = true;
    for (const listener of this.#listeners) listener();
  }

  /** Called once, when what an earlier life signed may be told. */
  onCleared(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Somebody says where peers can be dialled: this identity at an address that is not its own is the other process. */
  noteAddresses(addresses: readonly string[]): void {
    const { self, ownAddresses } = this.#dependencies;
    const own = ownAddresses();
    for (const address of addresses) {
      if (this.#addresses.size >= ADDRESSES_MAX) return;
      if (peerIdOfAddress(address) === self && !own.includes(address)) this.#addresses.add(address);
    }
  }

  /** Whether the own head may be shown to others. */
  mayTell(): boolean {
    return this.#isCleared && this.#double === undefined;
  }

  /** Throws: NodeError IDENTITY_IN_USE when this identity signs elsewhere, too. */
  require(): void {
    if (this.#double !== undefined) throw this.#double;
  }

  #goOnAfter(announcement: Announcement, { instead }: { readonly instead: boolean }): void {
    const { ownChain, logger } = this.#dependencies;
    if (instead) ownChain.adoptInstead(announcement);
    else ownChain.adopt(announcement);
    this.#hasAdopted = true;
    logger.warn("neighbours know a later update of this peer than its own store does; going on after it", {
      sequence: announcement.sequence,
    });
  }

  #stop(sequence: number): void {
    if (this.#double !== undefined) return;
    const { self, logger } = this.#dependencies;
    const addresses = [...this.#addresses];
    const where = addresses.length === 0 ? "its address is not known" : `it is at ${addresses.join(", ")}`;
    const text =
      `neighbours know update ${sequence} of this peer (${self}), which this data directory did not sign: another process ` +
      `has the same key, or the directory comes from an old backup; ${where}. Nothing more is signed here, because two ` +
      "updates under one number bar a peer. Let the other process go on and give this one a key of its own; where there " +
      "is no other, bring back the newest data directory, or the key alone into an empty one";
    this.#double = new NodeError("IDENTITY_IN_USE", text, { sequence, addresses });
    logger.error("another process signs updates with this peer's identity", { sequence, addresses });
  }
}
