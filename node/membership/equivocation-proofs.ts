/** Proofs that somebody signed two different things under one number: at most one of each author, kept on disk. */
import { ProtocolError } from "../../protocol/errors.ts";
import { checkEquivocation, createEquivocationProof } from "../../protocol/membership/equivocation.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import { ignored, type MessageJudgement, news } from "./message-intake.ts";
import type { RosterStore } from "./roster-store.ts";

/** Prefix of the store's keys of proofs; their author follows. */
export const PROOF_PREFIX = "roster/proof/";

/** What keeping proofs needs. */
export interface EquivocationProofDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  /** Whose announcements count here. */
  readonly network: NetworkId;
  /** This peer: what another process with its key has signed is no reason to tell on itself. */
  readonly self: PeerId;
}

/** The proofs that one peer knows of. */
export class EquivocationProofs {
  readonly #dependencies: EquivocationProofDependencies;
  readonly #proofs = new Map<PeerId, Uint8Array>();
  readonly #listeners: ((event: RosterEvent) => void)[] = [];

  constructor(dependencies: EquivocationProofDependencies) {
    this.#dependencies = dependencies;
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store, roster, logger, verify } = this.#dependencies;
    for await (const [key, body] of store.entries(PROOF_PREFIX)) {
      try {
        const { author } = checkEquivocation(body, verify);
        this.#proofs.set(author, body);
        roster.log.noteEquivocation(author);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        logger.warn("a stored proof was dropped", { key });
        await store.batch([{ delete: key }]);
      }
    }
  }

  /** Keep a proof where it is news.  Throws: ProtocolError where the proof proves nothing. */
  take(body: Uint8Array): MessageJudgement {
    const { roster, logger, verify, network } = this.#dependencies;
    const { log } = roster;
    const { author, networkId: about, kind, sequence } = checkEquivocation(body, verify);
    const isOurs = kind === "announcement" ? about === network : about === log.networkId;
    if (!isOurs) return ignored("NETWORK_MISMATCH");
    // Of somebody who never was a member a proof says nothing that matters, and strangers could fill the disk with them.
    const state = log.state();
    if (!state.members.has(author) && !state.removed.has(author)) return ignored("NOT_A_MEMBER");
    if (this.#proofs.has(author)) return ignored("KNOWN");
    this.#proofs.set(author, body.slice());
    roster
      .save([{ put: PROOF_PREFIX + author, value: body }])
      .catch((error: unknown) => logger.warn("a proof was not written", { error }));
    log.noteEquivocation(author);
    const isBarred = log.state().barred.has(author);
    for (const listener of this.#listeners) listener({ type: "equivocation", peer: author, kind, sequence, isBarred });
    return news;
  }

  /** The proof of two things that were signed, taken; undefined where they prove nothing new. */
  prove(kind: "announcement" | "roster-entry", first: Uint8Array, second: Uint8Array): Uint8Array | undefined {
    const { logger, verify } = this.#dependencies;
    let body: Uint8Array;
    try {
      body = createEquivocationProof(kind, [first, second], verify);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      logger.debug("a report of equivocation proves nothing", { error });
      return undefined;
    }
    const { author } = checkEquivocation(body, verify);
    if (author === this.#dependencies.self) {
      logger.error("another process signs entries of the roster with this peer's key", { author });
      return undefined;
    }
    return this.take(body).verdict === "accept" ? body : undefined;
  }

  /** All of them, for a neighbour. */
  bodies(): readonly Uint8Array[] {
    return [...this.#proofs.values()];
  }

  /** Call when somebody was proven to have equivocated. */
  onProven(listener: (event: RosterEvent) => void): void {
    this.#listeners.push(listener);
  }
}
