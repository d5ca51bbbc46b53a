/**
 * What members called themselves when they asked to be admitted, as far as this peer saw the request. An entry has no label, so that
 * nobody else can know; the request that has one is forgotten once it is decided.
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Store, StoreChange } from "../interface/store.ts";

/** Labels that are kept; where there are more, one of before goes for each new one. */
export const MEMBER_LABELS_MAX = 4096;
/** All of them as UTF-8. */
export const MEMBER_LABELS_BYTES_MAX = MEMBER_LABELS_MAX * 4 * LIMITS.labelLengthMax;

/** Followed by the peer id; the value is the label. */
const PREFIX = "roster/label/";

/** What keeping them needs. */
export interface MemberLabelDependencies {
  readonly store: Store;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
}

/** Labels of members. */
export class MemberLabels {
  readonly #dependencies: MemberLabelDependencies;
  readonly #labels = new Map<string, string>();

  constructor(dependencies: MemberLabelDependencies) {
    this.#dependencies = dependencies;
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    for await (const [key, value] of this.#dependencies.store.entries(PREFIX)) {
      this.#labels.set(key.slice(PREFIX.length), new TextDecoder().decode(value));
    }
  }

  /** The label of a peer; undefined where this peer saw no request of it. */
  of(peer: string): string | undefined {
    return this.#labels.get(peer);
  }

  /** Keep the label of a peer that is a member now. */
  keep(peer: PeerId, label: string): void {
    if (label.trim() === "" || this.#labels.get(peer) === label) return;
    const changes: StoreChange[] = [{ put: PREFIX + peer, value: new TextEncoder().encode(label) }];
    const [first] = this.#labels.keys();
    if (first !== undefined && this.#labels.size >= MEMBER_LABELS_MAX) {
      this.#labels.delete(first);
      changes.push({ delete: PREFIX + first });
    }
    this.#labels.set(peer, label);
    this.#dependencies.save(changes);
  }
}
