/**
 * Manifests under which the network goes on: kept on disk with the roster, handed on to members, fetched from them when
 * the roster has agreed to one that is not here, and followed one after the other from where this peer is.
 */

import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Statement } from "../../protocol/membership/entry.ts";
import { type SuccessorChain, successionStatement, successorChain } from "../../protocol/membership/succession.ts";
import { type NetworkId, parseNetworkId } from "../../protocol/network-id.ts";
import {
  canonicalManifestBytes,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
  parseManifest,
} from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Store } from "../interface/store.ts";
import type { RosterStore } from "./roster-store.ts";

/** One manifest that the network goes on under. */
export interface SuccessorLink {
  readonly network: NetworkId;
  readonly manifest: NetworkManifest;
  /** First round that is trained under it. */
  readonly round: number;
}

/** What following a network needs. */
export interface MigrationDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly isMember: (peer: PeerId) => boolean;
  /** Ask a neighbour for a manifest; undefined when it has none of that id. */
  readonly fetchManifest: (
    peer: PeerId,
    network: NetworkId,
    signal: AbortSignal,
  ) => Promise<NetworkManifest | undefined>;
}

/** Prefix of the store's keys of manifests; their network id follows. */
export const MANIFEST_PREFIX = "roster/manifest/";
/** Manifests that are kept beside those that the network goes through: proposals, the oldest forgotten first. */
const PROPOSALS_MAX = 8;

type KnownChain = SuccessorChain & { readonly of: string; readonly ids: readonly NetworkId[] };

/** How the network has gone on, as one peer knows it, and where this peer should be. */
export class Migration {
  readonly #dependencies: MigrationDependencies;
  /** Of the genesis. */
  readonly #first: NetworkManifest;
  /** What is trained under now, and its network id. */
  readonly #current: NetworkManifest;
  readonly #here: NetworkId;
  readonly #held = new Map<NetworkId, NetworkManifest>();
  readonly #listeners: (() => void)[] = [];
  /** The manifests are hashed anew only when the roster or what is held has changed. */
  #known: KnownChain = { manifests: [], missing: undefined, of: "", ids: [] };
  #changes = 0;
  /** Members that greeted under another network; only members get in, so there are at most as many as the roster has. */
  readonly #seen = new Map<PeerId, NetworkId>();
  readonly #neighbours = new Set<PeerId>();

  constructor(
    dependencies: MigrationDependencies,
    { first, current }: { readonly first: NetworkManifest; readonly current: NetworkManifest },
  ) {
    this.#dependencies = dependencies;
    this.#first = first;
    this.#current = current;
    this.#here = networkId(current);
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store } = this.#dependencies;
    for await (const [key, bytes] of store.entries(MANIFEST_PREFIX)) {
      try {
        const manifest = manifestFromBytes(bytes);
        this.#held.set(networkId(manifest), manifest);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        await store.batch([{ delete: key }]);
      }
    }
    this.#changes++;
    // Whoever asks for the way here gets this one, too, once the network has gone on.
    if (this.#current.succeeds !== undefined) await this.#keep(this.#current);
  }

  /** A manifest that is here, by its network id. */
  manifestOf(network: NetworkId): NetworkManifest | undefined {
    return network === this.#here ? this.#current : this.#held.get(network);
  }

  /** The manifests that the network goes through, from its first one on, as far as the roster has agreed and they are here. */
  chain(): readonly NetworkManifest[] {
    return this.#chain().manifests;
  }

  /** Those of them that come after the one trained under now, in turn; none when the roster has not heard of that one. */
  ahead(): readonly SuccessorLink[] {
    const { manifests, ids } = this.#chain();
    const at = this.#lastCommon(ids);
    if (at < 0) return [];
    return manifests.flatMap((manifest, i) => {
      const { succeeds } = manifest;
      const network = ids[i];
      if (i <= at || succeeds === undefined || network === undefined) return [];
      return [{ network, manifest, round: succeeds.round }];
    });
  }

  /** Whether the roster has agreed to a manifest that is not here. */
  isMissing(): boolean {
    return this.#chain().missing !== undefined;
  }

  /** Whether a network comes before the one that this peer is in. */
  isBehind(other: NetworkId): boolean {
    const { ids } = this.#chain();
    return ids.includes(other) && ids.indexOf(other) < ids.indexOf(this.#here);
  }

  /** Ask neighbours for what is missing, one after the other.  Throws: the signal's reason. */
  async fetch(peers: readonly PeerId[], signal: AbortSignal): Promise<void> {
    for (const peer of peers) {
      // From the newest back to what is here: each says which one is before it.
      for (let turn = 0; turn < LIMITS.successionCountMax; turn++) {
        const { missing } = this.#chain();
        if (missing === undefined) return;
        try {
          const manifest = await this.#dependencies.fetchManifest(peer, missing, signal);
          if (manifest === undefined) break;
          await this.#keep(manifest);
        } catch (error) {
          if (signal.aborted) throw error;
          break;
        }
        for (const listener of this.#listeners) listener();
      }
    }
  }

  /**
   * Keep a manifest that is to follow the present one, and say what the roster has to agree to.
   * Throws: ProtocolError MANIFEST_INVALID; NodeError NOT_ALLOWED (too many followed), STORE_FAILED, DISK_FULL.
   */
  async prepare(source: unknown): Promise<Statement> {
    const manifest = parseManifest(source);
    const statement = successionStatement(this.#current, manifest);
    if (this.#chain().manifests.length > LIMITS.successionCountMax) {
      const text = `a network goes on ${LIMITS.successionCountMax} times at most`;
      throw new NodeError("NOT_ALLOWED", text, { problem: "successions-used-up" });
    }
    await this.#keep(manifest);
    return statement;
  }

  /** Call when a manifest that the roster has agreed to has come. */
  onHeld(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A member greets under another network of this roster. */
  meet(peer: PeerId, network: NetworkId): void {
    if (this.#dependencies.isMember(peer)) this.#seen.set(peer, network);
  }

  /** A member is past its handshake under this peer's own network. */
  join(peer: PeerId): void {
    this.#seen.delete(peer);
    this.#neighbours.add(peer);
  }

  /** Somebody is not connected any more. */
  leave(peer: PeerId): void {
    this.#neighbours.delete(peer);
  }

  /**
   * What this peer should go through, in turn, because others have: up to the newest network that as many members greet under,
   * or under a later one, as neighbours are here. None when there is no such network. What the roster has agreed to nobody can
   * make up, but when others have migrated only they can say: one of them alone is not believed while more neighbours are here.
   */
  followed(): readonly SuccessorLink[] {
    const { isMember } = this.#dependencies;
    const ahead = this.ahead();
    const here = [...this.#neighbours].filter(isMember).length;
    const places = [...this.#seen]
      .filter(([peer]) => isMember(peer))
      .map(([, network]) => ahead.findIndex((link) => link.network === network));
    for (let last = ahead.length - 1; last >= 0; last--) {
      const beyond = places.filter((place) => place >= last).length;
      if (beyond > 0 && beyond >= here) return ahead.slice(0, last + 1);
    }
    return [];
  }

  #chain(): KnownChain {
    const state = this.#dependencies.roster.log.state();
    const of = `${state.digest} ${this.#changes}`;
    if (this.#known.of !== of) {
      const found = successorChain(this.#first, state, (network) => this.manifestOf(network));
      this.#known = { ...found, of, ids: found.manifests.map(networkId) };
    }
    return this.#known;
  }

  /** Whether the roster has agreed to what is trained under now, then or by now overruled. */
  #isHeardOf(): boolean {
    return this.#dependencies.roster.log
      .entries()
      .some(({ statement }) => statement.kind === "succeed" && statement.successor === this.#here);
  }

  /** Place in the chain of the last network on the way to here that the chain has, too; -1: none. */
  #lastCommon(ids: readonly NetworkId[]): number {
    const at = ids.indexOf(this.#here);
    if (at >= 0 || !this.#isHeardOf()) return at;
    // Another branch was agreed to: go on where it left the way that led here.
    let before: NetworkManifest | undefined = this.#current;
    for (let turn = 0; before?.succeeds !== undefined && turn < LIMITS.successionCountMax; turn++) {
      const id = parseNetworkId(before.succeeds.network);
      if (ids.includes(id)) return ids.indexOf(id);
      before = this.manifestOf(id);
    }
    return -1;
  }

  async #keep(manifest: NetworkManifest): Promise<void> {
    const { roster } = this.#dependencies;
    const id = networkId(manifest);
    if (this.#held.has(id)) return;
    this.#held.set(id, manifest);
    this.#changes++;
    const agreedTo = new Set(roster.log.state().successions.map(({ network }) => network));
    const proposals = [...this.#held.keys()].filter((one) => one !== id && one !== this.#here && !agreedTo.has(one));
    const spare = proposals.length >= PROPOSALS_MAX ? proposals[0] : undefined;
    if (spare !== undefined) this.#held.delete(spare);
    await roster.save([
      { put: MANIFEST_PREFIX + id, value: canonicalManifestBytes(manifest) },
      ...(spare === undefined ? [] : [{ delete: MANIFEST_PREFIX + spare }]),
    ]);
  }
}
