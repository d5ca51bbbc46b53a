/** Short ids of peers, each long enough to mean one peer alone among all that are shown. */

/**
 * What a peer called itself when it asked to be admitted; absent where this peer did not see that. It chose that itself, and others
 * may have the same.
 */
export type PeerLabel = string | undefined;

/** Characters of the end of an id: 38 thousand million ends, so that two peers have the same by intent only. */
const END_LENGTH = 6;
/** Ids that are remembered: more peers than a person looks at, and than a network has. */
const SHOWN_MAX = 8_192;

/** The peers that are shown: in one table, or line by line while a command runs. */
export class PeerNames {
  /** Whole ids, by their ends. */
  readonly #ids = new Map<string, Set<string>>();
  #count = 0;

  /** shown: ids of a table, before its first row is made. */
  constructor(shown: Iterable<string> = []) {
    for (const id of shown) this.#add(id);
  }

  /** The end of an id, such as `…x7Kq2P`; longer where another peer that is shown has the same end. */
  short(id: string): string {
    const alike = [...this.#add(id)].filter((other) => other !== id);
    let length = END_LENGTH;
    while (length < id.length && alike.some((other) => other.endsWith(id.slice(-length)))) length++;
    return id.length > length + 2 ? `…${id.slice(-length)}` : id;
  }

  #add(id: string): ReadonlySet<string> {
    const end = id.slice(-END_LENGTH);
    const alike = this.#ids.get(end) ?? new Set();
    if (!alike.has(id)) this.#makeRoom();
    alike.add(id);
    this.#ids.set(end, alike);
    return alike;
  }

  #makeRoom(): void {
    this.#count++;
    const [oldest] = this.#ids.keys();
    if (this.#count <= SHOWN_MAX || oldest === undefined) return;
    this.#count -= this.#ids.get(oldest)?.size ?? 0;
    this.#ids.delete(oldest);
  }
}
