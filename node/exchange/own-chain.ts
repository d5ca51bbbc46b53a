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
import { decodeTrail, encodeTrail, lastOf, type OwnTrail, signedAt, withUpdate } from "./own-trail.ts";
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
   * Throws: NodeError STORE_FAILED, DISK_FULL; ProtocolError VALUE_NOT_FINITE, FIELD_INVALID; what `mayFollow` throws.
   */
  append(own: OwnUpdate): Promise<StoredUpdate | undefined>;
  head(): StoredUpdate | undefined;
  /** The link that the next update follows: the head, or what neighbours remembered after it. */
  last(): ChainHead | undefined;
  /** What neighbours remember after everything that this store ever signed; undefined where they remember no such thing. */
  earlierLife(): ChainHead | undefined;
  /** The signed bytes of the last update, and of those that it rests on, by content id. */
  find(contentId: ContentId): Uint8Array | undefined;
  /** What this directory signed under a number; undefined where it does not remember, or signed nothing. */
  signed(sequence: number): ContentId | undefined;
  /** Go on after a link of this chain that neighbours remember and this peer does not; true when it was news. */
  adopt(link: ChainHead): boolean;
  /** The same, after updates of this life that nobody was shown: they are forgotten. */
  adoptInstead(link: ChainHead): void;
}

/** The disk and the key, and who is asked before an earlier life is followed. */
export interface OwnChainDependencies {
  readonly store: Store;
  readonly signer: Signer;
  /** Asked before an update is signed that follows one that this store never knew; it throws to refuse. */
  readonly mayFollow?: (earlier: ChainHead) => void;
}

/** The form of updates, and the network that they belong to. */
type OwnChainRules = PayloadRules & Cryptography & { readonly networkId: NetworkId };

const KEY = "own/head";

/** Whether a store holds an own update. */
export const hasPublished = async (store: Store): Promise<boolean> => (await store.get(KEY)) !== undefined;

/** Changes of a store after which it holds no own update: of a key that another one replaces. What it signed stays known. */
export const forgetOwnChain = (): readonly StoreChange[] => [{ delete: KEY }];

/** A chain that has to be loaded first. */
export function createOwnChain(dependencies: OwnChainDependencies, rules: OwnChainRules): OwnChain {
  return new StoredChain(dependencies, rules);
}

class StoredChain implements OwnChain {
  readonly #dependencies: OwnChainDependencies;
  readonly #rules: OwnChainRules;
  readonly #trailKey: string;
  #head: StoredUpdate | undefined;
  #adopted: ChainHead | undefined;
  #trail: OwnTrail = decodeTrail(undefined);
  /** Whether the store still holds updates that were given up for those of an earlier life. */
  #isToForget = false;
  /** Appends follow one another: each needs the link before it. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(dependencies: OwnChainDependencies, rules: OwnChainRules) {
    this.#dependencies = dependencies;
    this.#rules = rules;
    this.#trailKey = `own/trail/${dependencies.signer.peer}/${rules.networkId}`;
  }

  async load(): Promise<void> {
    const { store, signer } = this.#dependencies;
    this.#trail = decodeTrail(await store.get(this.#trailKey));
    const bytes = await store.get(KEY);
    if (bytes === undefined) return;
    const stored = decodeStored(bytes, this.#rules);
    const problem = typeof stored === "string" ? stored : stored.update.author === signer.peer ? undefined : "author";
    if (typeof stored === "string" || problem !== undefined) {
      // Going on without it would sign a second update with an old sequence.
      const text = `the last own update in the store cannot be used: ${problem}; restore the data directory, or start with a new identity`;
      throw new NodeError("STORE_FAILED", text, { key: KEY });
    }
    this.#head = stored;
  }

  append(own: OwnUpdate): Promise<StoredUpdate | undefined> {
    const result = this.#tail.then(() => this.#append(own));
    this.#tail = result.catch(() => {});
    return result;
  }

  head(): StoredUpdate | undefined {
    return this.#head;
  }

  last(): ChainHead | undefined {
    return this.#adopted ?? this.#head?.update;
  }

  earlierLife(): ChainHead | undefined {
    const adopted = this.#adopted;
    // What this store signed before a change of manifest was its own.
    return adopted !== undefined && adopted.sequence > (lastOf(this.#trail) ?? -1) ? adopted : undefined;
  }

  find(contentId: ContentId): Uint8Array | undefined {
    return this.#head && linksAfter(this.#head).find((link) => link.contentId === contentId)?.envelope;
  }

  signed(sequence: number): ContentId | undefined {
    const own = this.#head?.update;
    return own?.sequence === sequence ? own.contentId : signedAt(this.#trail, sequence);
  }

  adopt({ sequence, contentId, round }: ChainHead): boolean {
    const known = this.last();
    if (known !== undefined && sequence <= known.sequence) return false;
    this.#adopted = { sequence, contentId, round };
    return true;
  }

  adoptInstead({ sequence, contentId, round }: ChainHead): void {
    this.#head = undefined;
    this.#trail = decodeTrail(undefined);
    this.#isToForget = true;
    this.#adopted = { sequence, contentId, round };
  }

  async #append(own: OwnUpdate): Promise<StoredUpdate | undefined> {
    const { store, signer, mayFollow } = this.#dependencies;
    const { round, theta, localSteps, sampleCount, neighbours } = own;
    if (this.#isToForget) await store.batch([{ delete: KEY }, { delete: this.#trailKey }]);
    this.#isToForget = false;
    const previous = this.last();
    if (previous !== undefined && round <= previous.round) return this.#adopted === undefined ? this.#head : undefined;
    const [adopted, earlier] = [this.#adopted, this.earlierLife()];
    if (earlier !== undefined) mayFollow?.(earlier);
    const sequence = previous === undefined ? 0 : previous.sequence + 1;
    // The same numbers for the same update, so that one that a kill kept from the store comes out the same again.
    const prng = createPrng(0).fork(signer.peer).fork("encoding").fork(String(sequence));
    // After a link that only neighbours remember, nobody knows the adapter that changes would refer to.
    const base = adopted === undefined ? this.#head : undefined;
    const rules = this.#rules;
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
    const trail = withUpdate(this.#trail, sequence, update.contentId);
    await store.batch([
      { put: KEY, value: encodeStored(stored) },
      { put: this.#trailKey, value: encodeTrail(trail) },
    ]);
    if (this.#adopted !== adopted) {
      // An earlier life was heard of meanwhile, and nobody was shown this update.
      this.#isToForget = true;
      return undefined;
    }
    this.#head = stored;
    this.#trail = trail;
    this.#adopted = undefined;
    return stored;
  }
}
