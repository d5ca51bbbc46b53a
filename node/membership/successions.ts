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
import type { Clock } from "../interface/clock.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { fetchManifest } from "./admission.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import type { RosterStore } from "./roster-store.ts";

/** One manifest that the network goes on under. */
export interface SuccessorLink {
  readonly network: NetworkId;
  readonly manifest: NetworkManifest;
  /** First round that is trained under it. */
  readonly round: number;
}

export interface Successions {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  manifestOf(network: NetworkId): NetworkManifest | undefined;
  /** The manifests that the network goes through, from its first one on, as far as the roster has agreed and they are here. */
  chain(): readonly NetworkManifest[];
  /** Those of them that come after the one trained under now, in turn; none when the roster has not heard of that one. */
  ahead(): readonly SuccessorLink[];
  /** Whether the roster has agreed to a manifest that is not here. */
  isMissing(): boolean;
  /** Ask neighbours for what is missing, one after the other. */
  fetch(peers: readonly PeerId[], signal: AbortSignal): Promise<void>;
  /**
   * Keep a manifest that is to follow the present one, and say what the roster has to agree to.
   * Throws: ProtocolError MANIFEST_INVALID; NodeError NOT_ALLOWED (too many followed), STORE_FAILED, DISK_FULL.
   */
  prepare(manifest: unknown): Promise<Statement>;
  /** Called when a manifest that the roster has agreed to has come. */
  onHeld(listener: () => void): void;
}

/** Where the store has them, by network id. */
export const MANIFEST_PREFIX = "roster/manifest/";
/** Manifests that are kept beside those that the network goes through: proposals, the oldest forgotten first. */
const PROPOSALS_MAX = 8;

export function createSuccessions(
  {
    transport,
    store,
    clock,
    roster,
    first,
    current,
  }: {
    readonly transport: Transport;
    readonly store: Store;
    readonly clock: Clock;
    readonly roster: RosterStore;
    /** Of the genesis. */
    readonly first: NetworkManifest;
    /** What is trained under now. */
    readonly current: NetworkManifest;
  },
  { admissionTimeoutMs: timeoutMs }: Pick<MembershipLimits, "admissionTimeoutMs">,
): Successions {
  const held = new Map<NetworkId, NetworkManifest>();
  const listeners: (() => void)[] = [];
  const here = networkId(current);
  const manifestOf = (network: NetworkId): NetworkManifest | undefined =>
    network === here ? current : held.get(network);
  /** The manifests are hashed anew only when the roster or what is held has changed. */
  let known: SuccessorChain & { readonly of: string; readonly ids: readonly NetworkId[] } = {
    ...{ manifests: [], missing: undefined, of: "", ids: [] },
  };
  let changes = 0;
  const chain = () => {
    const state = roster.log.state();
    const of = `${state.digest} ${changes}`;
    if (known.of !== of) {
      const found = successorChain(first, state, manifestOf);
      known = { ...found, of, ids: found.manifests.map(networkId) };
    }
    return known;
  };
  /** Whether the roster has agreed to what is trained under now, then or by now overruled. */
  const isHeardOf = (): boolean =>
    roster.log.entries().some(({ statement }) => statement.kind === "succeed" && statement.successor === here);
  /** Place in the chain of the last network on the way to here that the chain has, too; -1: none. */
  const lastCommon = (ids: readonly NetworkId[]): number => {
    const at = ids.indexOf(here);
    if (at >= 0 || !isHeardOf()) return at;
    // Another branch was agreed to: go on where it left the way that led here.
    let before: NetworkManifest | undefined = current;
    for (let turn = 0; before?.succeeds !== undefined && turn < LIMITS.successionCountMax; turn++) {
      const id = parseNetworkId(before.succeeds.network);
      if (ids.includes(id)) return ids.indexOf(id);
      before = manifestOf(id);
    }
    return -1;
  };
  const ahead = (): readonly SuccessorLink[] => {
    const { manifests, ids } = chain();
    const at = lastCommon(ids);
    if (at < 0) return [];
    return manifests.flatMap((manifest, i) => {
      const { succeeds } = manifest;
      const network = ids[i];
      if (i <= at || succeeds === undefined || network === undefined) return [];
      return [{ network, manifest, round: succeeds.round }];
    });
  };
  const keep = async (manifest: NetworkManifest): Promise<void> => {
    const id = networkId(manifest);
    if (held.has(id)) return;
    held.set(id, manifest);
    changes++;
    const agreedTo = new Set(roster.log.state().successions.map(({ network }) => network));
    const proposals = [...held.keys()].filter((one) => one !== id && one !== here && !agreedTo.has(one));
    const spare = proposals.length >= PROPOSALS_MAX ? proposals[0] : undefined;
    if (spare !== undefined) held.delete(spare);
    await roster.save([
      { put: MANIFEST_PREFIX + id, value: canonicalManifestBytes(manifest) },
      ...(spare === undefined ? [] : [{ delete: MANIFEST_PREFIX + spare }]),
    ]);
  };
  return {
    async load() {
      for await (const [key, bytes] of store.entries(MANIFEST_PREFIX)) {
        try {
          const manifest = manifestFromBytes(bytes);
          held.set(networkId(manifest), manifest);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          await store.batch([{ delete: key }]);
        }
      }
      changes++;
      // Whoever asks for the way here gets this one, too, once the network has gone on.
      if (current.succeeds !== undefined) await keep(current);
    },
    manifestOf,
    chain: () => chain().manifests,
    ahead,
    isMissing: () => chain().missing !== undefined,
    async fetch(peers, signal) {
      for (const peer of peers) {
        // From the newest back to what is here: each says which one is before it.
        for (let turn = 0; turn < LIMITS.successionCountMax; turn++) {
          const { missing } = chain();
          if (missing === undefined) return;
          try {
            const manifest = await fetchManifest({ transport, clock }, { peer, timeoutMs, signal }, missing);
            if (manifest === undefined) break;
            await keep(manifest);
          } catch (error) {
            if (signal.aborted) throw error;
            break;
          }
          for (const listener of listeners) listener();
        }
      }
    },
    async prepare(source) {
      const manifest = parseManifest(source);
      const statement = successionStatement(current, manifest);
      if (chain().manifests.length > LIMITS.successionCountMax) {
        const text = `a network goes on ${LIMITS.successionCountMax} times at most`;
        throw new NodeError("NOT_ALLOWED", text, { problem: "successions-used-up" });
      }
      await keep(manifest);
      return statement;
    },
    onHeld: (listener) => void listeners.push(listener),
  };
}
