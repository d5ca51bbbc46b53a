/**
 * What libp2p remembers, within bounds. It keeps every peer that has ever been connected, and drops those that are too old only
 * when it happens to list them; whoever asks the members' table to keep a record has it kept, and adds addresses without end. So
 * fresh keys would fill the memory of a peer that runs for days. Here whoever was touched longest ago goes first, and nobody
 * goes who is connected.
 */
import { NotFoundError } from "@libp2p/interface";
import type { Libp2pOptions } from "libp2p";

type Datastore = NonNullable<Libp2pOptions["datastore"]>;
type Key = Parameters<Datastore["get"]>[0];
type Pair = { readonly key: Key; readonly value: Uint8Array };
type Query = Parameters<Datastore["query"]>[0];

/** How much is kept. Unit: bytes. */
export interface DatastoreLimits {
  /** Of peers: their keys, addresses and protocols. */
  readonly peersBytesMax: number;
  /** Of everything else, such as records that others ask to have kept. */
  readonly othersBytesMax: number;
  /** Of one entry; a longer one is not kept, and the one before it stays. */
  readonly entryBytesMax: number;
}

/** Some thousands of peers; a peer says of itself 16 KiB at most when it identifies itself. */
export const DATASTORE_LIMITS: DatastoreLimits = {
  peersBytesMax: 16 * 2 ** 20,
  othersBytesMax: 2 ** 18,
  entryBytesMax: 2 ** 16,
};

const PEERS = "/peers/";
/** What an entry takes beside its value. */
const ENTRY_BYTES = 256;

/** The key under which libp2p keeps a peer. */
export const peerKey = (peer: { toCID(): { toString(): string } }): string => `${PEERS}${peer.toCID()}`;

/** Entries of two kinds, those of peers and all others, each with a bound. */
export class BoundedDatastore implements Datastore {
  readonly #limits: DatastoreLimits;
  readonly #peers = new Map<string, Pair>();
  readonly #others = new Map<string, Pair>();
  readonly #bytes = new Map<Map<string, Pair>, number>();
  #kept: () => Iterable<string> = () => [];

  constructor(limits: DatastoreLimits = DATASTORE_LIMITS) {
    this.#limits = limits;
  }

  /** Keys that stay whatever else comes, asked for whenever something has to go. */
  keep(kept: () => Iterable<string>): void {
    this.#kept = kept;
  }

  /** See Datastore. */
  put(key: Key, value: Uint8Array): Key {
    if (value.byteLength > this.#limits.entryBytesMax) return key;
    const table = this.#tableOf(key);
    this.delete(key);
    table.set(key.toString(), { key, value });
    this.#count(table, value.byteLength + ENTRY_BYTES);
    this.#tidy(table);
    return key;
  }

  /** See Datastore.  Throws: NotFoundError. */
  get(key: Key): Uint8Array {
    const table = this.#tableOf(key);
    const found = table.get(key.toString());
    if (found === undefined) throw new NotFoundError(`${key} is not kept`);
    table.delete(key.toString());
    table.set(key.toString(), found);
    return found.value;
  }

  /** See Datastore. */
  has(key: Key): boolean {
    return this.#tableOf(key).has(key.toString());
  }

  /** See Datastore. */
  delete(key: Key): void {
    const table = this.#tableOf(key);
    const known = table.get(key.toString());
    if (known === undefined) return;
    table.delete(key.toString());
    this.#count(table, -known.value.byteLength - ENTRY_BYTES);
  }

  /** See Datastore. */
  async *putMany(source: AsyncIterable<Pair> | Iterable<Pair>): AsyncGenerator<Key> {
    for await (const { key, value } of source) yield this.put(key, value);
  }

  /** See Datastore.  Throws: NotFoundError. */
  async *getMany(source: AsyncIterable<Key> | Iterable<Key>): AsyncGenerator<Pair> {
    for await (const key of source) yield { key, value: this.get(key) };
  }

  /** See Datastore. */
  async *deleteMany(source: AsyncIterable<Key> | Iterable<Key>): AsyncGenerator<Key> {
    for await (const key of source) {
      this.delete(key);
      yield key;
    }
  }

  /** See Datastore. */
  batch(): ReturnType<Datastore["batch"]> {
    const work: (() => void)[] = [];
    return {
      put: (key, value) => void work.push(() => this.put(key, value)),
      delete: (key) => void work.push(() => this.delete(key)),
      commit: () => {
        for (const one of work.splice(0)) one();
      },
    };
  }

  /** See Datastore. */
  *query({
    prefix = "",
    filters = [],
    orders = [],
    offset = 0,
    limit = Number.POSITIVE_INFINITY,
  }: Query): Generator<Pair> {
    const all = [...this.#peers.values(), ...this.#others.values()];
    const found = all.filter((one) => one.key.toString().startsWith(prefix) && filters.every((keeps) => keeps(one)));
    for (const order of orders) found.sort(order);
    yield* found.slice(offset, offset + limit);
  }

  /** See Datastore. */
  *queryKeys({ filters = [], orders = [], ...query }: Parameters<Datastore["queryKeys"]>[0]): Generator<Key> {
    const keys = [...this.query(query)].map(({ key }) => key).filter((key) => filters.every((keeps) => keeps(key)));
    for (const order of orders) keys.sort(order);
    yield* keys;
  }

  /** Bytes that are kept. */
  size(): { readonly peers: number; readonly others: number } {
    return { peers: this.#bytes.get(this.#peers) ?? 0, others: this.#bytes.get(this.#others) ?? 0 };
  }

  #tableOf(key: Key): Map<string, Pair> {
    return key.toString().startsWith(PEERS) ? this.#peers : this.#others;
  }

  #count(table: Map<string, Pair>, bytes: number): void {
    this.#bytes.set(table, (this.#bytes.get(table) ?? 0) + bytes);
  }

  #tidy(table: Map<string, Pair>): void {
    const max = table === this.#peers ? this.#limits.peersBytesMax : this.#limits.othersBytesMax;
    if ((this.#bytes.get(table) ?? 0) <= max) return;
    const kept = new Set(this.#kept());
    for (const [name, { key }] of table) {
      if ((this.#bytes.get(table) ?? 0) <= max) return;
      if (!kept.has(name)) this.delete(key);
    }
  }
}
