/**
 * The peer's own chain of signed updates. Each is in the store before anybody hears of it, so that a crash at any
 * instant leaves either an update that was never announced and never will be, or one that is announced again as it is:
 * never two updates with one sequence. The adapter that the others have decoded is read back with it. So the residual, from
 * which the next changes are taken, survives a kill as well.
 */
import { signAnnouncement } from "../../protocol/announcement.ts";
import type { ContentId } from "../../protocol/content-id.ts";
import { encodeUpdate, isSparse, type PayloadRules } from "../../protocol/encoding/update-payload.ts";
import type { Signer } from "../../protocol/envelope.ts";
import type { ChainHead, Cryptography } from "../../protocol/judge-context.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { createPrng } from "../../protocol/prng.ts";
import { readUpdate, signUpdate } from "../../protocol/update.ts";
import { NodeError } from "../errors.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { decodeStored, encodeStored, linksAfter, type StoredUpdate } from "./stored-update.ts";

/** An adapter that is to be published. */
export interface OwnUpdate {
  readonly round: number;
  /** The adapter, f32[P]. */
  readonly theta: Float32Array;
  readonly localSteps: number;
  readonly sampleCount: number;
  readonly neighbours?: number | undefined;
}

/** Signed updates of this peer, of which the last is kept. */
export interface OwnChain {
  /** Throws: NodeError STORE_FAILED when the stored update is not this peer's verified last one. */
  load(): Promise<void>;
  /**
   * Sign and store the update of a round, and return it once it is safe to announce. A round that was published before
   * gives the stored update again, even if the values differ now; undefined when it was published by an earlier life of
   * this identity whose store is lost.
   * Throws: NodeError STORE_FAILED, DISK_FULL; ProtocolError VALUE_NOT_FINITE, FIELD_INVALID.
   */
  append(own: OwnUpdate): Promise<StoredUpdate | undefined>;
  head(): StoredUpdate | undefined;
  /** The signed bytes of the last update, and of those that it rests on, by content id. */
  find(contentId: ContentId): Uint8Array | undefined;
  /** Go on after a link of this chain that neighbours remember and this peer does not; true when it was news. */
  adopt(link: ChainHead): boolean;
}

const KEY = "own/head";

/** Whether a store holds an own update. */
export const hasPublished = async (store: Store): Promise<boolean> => (await store.get(KEY)) !== undefined;

/** Changes of a store after which it holds no own update: of a key that another one replaces. */
export const forgetOwnChain = (): readonly StoreChange[] => [{ delete: KEY }];

/** A chain that has to be loaded first. */
export function createOwnChain(
  { store, signer }: { readonly store: Store; readonly signer: Signer },
  rules: PayloadRules & Cryptography & { readonly networkId: NetworkId },
): OwnChain {
  let head: StoredUpdate | undefined;
  let adopted: ChainHead | undefined;
  // Appends follow one another: each needs the link before it.
  let tail: Promise<unknown> = Promise.resolve();

  const last = (): ChainHead | undefined => adopted ?? head?.update;

  const append = async (own: OwnUpdate): Promise<StoredUpdate | undefined> => {
    const { round, theta, localSteps, sampleCount, neighbours } = own;
    const previous = last();
    if (previous !== undefined && round <= previous.round) return adopted === undefined ? head : undefined;
    const sequence = previous === undefined ? 0 : previous.sequence + 1;
    // The same numbers for the same update, so that one that a kill kept from the store comes out the same again.
    const prng = createPrng(0).fork(signer.peer).fork("encoding").fork(String(sequence));
    // After a link that only neighbours remember, nobody knows the adapter that changes would refer to.
    const base = adopted === undefined ? head : undefined;
    const { encoding, payload, decoded } = encodeUpdate(theta, { ...rules, sequence, previous: base?.theta, prng });
    const fields = {
      networkId: rules.networkId,
      round,
      sequence,
      previous: previous?.contentId,
      localSteps,
      sampleCount,
      encoding,
      payload,
      ...(neighbours !== undefined && { neighbours }),
    };
    const { bytes: envelope } = signUpdate(fields, signer, rules.createSha256);
    const update = readUpdate(envelope, rules.createSha256);
    const links = base !== undefined && isSparse(encoding) ? linksAfter(base) : [];
    const stored = { announcement: signAnnouncement(update, signer), envelope, update, links, theta: decoded };
    await store.batch([{ put: KEY, value: encodeStored(stored) }]);
    head = stored;
    adopted = undefined;
    return stored;
  };

  return {
    async load() {
      const bytes = await store.get(KEY);
      if (bytes === undefined) return;
      const stored = decodeStored(bytes, rules);
      const problem = typeof stored === "string" ? stored : stored.update.author === signer.peer ? undefined : "author";
      if (typeof stored === "string" || problem !== undefined) {
        // Going on without it would sign a second update with an old sequence.
        const text = `the last own update in the store cannot be used: ${problem}; restore the data directory, or start with a new identity`;
        throw new NodeError("STORE_FAILED", text, { key: KEY });
      }
      head = stored;
    },
    append(own) {
      const result = tail.then(() => append(own));
      tail = result.catch(() => {});
      return result;
    },
    head: () => head,
    find: (contentId) => head && linksAfter(head).find((link) => link.contentId === contentId)?.envelope,
    adopt(link) {
      const known = last();
      if (known !== undefined && link.sequence <= known.sequence) return false;
      adopted = { sequence: link.sequence, contentId: link.contentId, round: link.round };
      return true;
    },
  };
}
