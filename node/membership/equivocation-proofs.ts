/** Proofs that somebody signed two different things under one number: at most one of each author, kept on disk. */
import { ProtocolError } from "../../protocol/errors.ts";
import { checkEquivocation, createEquivocationProof } from "../../protocol/membership/equivocation.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import { ignored, type NoteJudgement, news } from "./note-judgement.ts";
import type { RosterStore } from "./roster-store.ts";

/** Keys of the store: proofs, by their author. */
export const PROOF_PREFIX = "roster/proof/";

export interface EquivocationProofDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  /** Whose announcements count here. */
  readonly network: NetworkId;
  /** Somebody was proven to have equivocated. */
  readonly onProven: (event: RosterEvent) => void;
}

export interface EquivocationProofs {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  /** Throws: ProtocolError where the proof proves nothing. */
  take(body: Uint8Array): NoteJudgement;
  /** The proof of two things that were signed, taken; undefined where they prove nothing new. */
  prove(kind: "announcement" | "roster-entry", first: Uint8Array, second: Uint8Array): Uint8Array | undefined;
  bodies(): readonly Uint8Array[];
}

export function createEquivocationProofs(dependencies: EquivocationProofDependencies): EquivocationProofs {
  const { store, roster, logger, verify, network } = dependencies;
  const { log } = roster;
  const proofs = new Map<PeerId, Uint8Array>();
  const take = (body: Uint8Array): NoteJudgement => {
    const { author, networkId: about, kind, sequence } = checkEquivocation(body, verify);
    const isOurs = kind === "announcement" ? about === network : about === log.networkId;
    if (!isOurs) return ignored("NETWORK_MISMATCH");
    // Of somebody who never was a member a proof says nothing that matters, and strangers could fill the disk with them.
    const state = log.state();
    if (!state.members.has(author) && !state.removed.has(author)) return ignored("NOT_A_MEMBER");
    if (proofs.has(author)) return ignored("KNOWN");
    proofs.set(author, body.slice());
    roster
      .save([{ put: PROOF_PREFIX + author, value: body }])
      .catch((error: unknown) => logger.warn("a proof was not written", { error }));
    log.noteEquivocation(author);
    logger.warn("a member signed two different things under one number", { author, kind, sequence });
    const isBarred = log.state().barred.has(author);
    dependencies.onProven({ type: "equivocation", peer: author, kind, sequence, isBarred });
    return news;
  };
  return {
    async load() {
      for await (const [key, body] of store.entries(PROOF_PREFIX)) {
        try {
          const { author } = checkEquivocation(body, verify);
          proofs.set(author, body);
          log.noteEquivocation(author);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          logger.warn("a stored proof was dropped", { key });
          await store.batch([{ delete: key }]);
        }
      }
    },
    take,
    prove(kind, first, second) {
      let body: Uint8Array;
      try {
        body = createEquivocationProof(kind, [first, second], verify);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        logger.debug("a report of equivocation proves nothing", { error });
        return undefined;
      }
      return take(body).verdict === "accept" ? body : undefined;
    },
    bodies: () => [...proofs.values()],
  };
}
