/**
 * Manifests under which the network goes on: kept on disk with the roster, handed on to members, and fetched from them when
 * the roster has agreed to one that is not here.
 */

import { ProtocolError } from "../../protocol/errors.ts";
import type { Statement } from "../../protocol/membership/entry.ts";
import { successionStatement } from "../../protocol/membership/succession.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import {
  canonicalManifestBytes,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
  parseManifest,
} from "../../protocol/network-manifest.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store } from "../interface/store.ts";
import type { PeerIdText, Transport } from "../interface/transport.ts";
import { fetchManifest } from "./admission.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import type { RosterStore } from "./roster-store.ts";

export interface Successions {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  manifestOf(network: NetworkId): NetworkManifest | undefined;
  /** The manifest that the roster has agreed to, and its first round; undefined without one, or when it is not here. */
  agreed(): { readonly manifest: NetworkManifest; readonly round: number } | undefined;
  /** Whether the roster has agreed to a manifest that is not here. */
  isMissing(): boolean;
  /** Ask neighbours for it, one after the other. */
  fetch(peers: readonly PeerIdText[], signal: AbortSignal): Promise<void>;
  /**
   * Keep a manifest that is to follow the present one, and say what the roster has to agree to.
   * Throws: ProtocolError MANIFEST_INVALID; NodeError STORE_FAILED, DISK_FULL.
   */
  prepare(manifest: unknown): Promise<Statement>;
  /** Called when a manifest that the roster has agreed to has come. */
  onHeld(listener: () => void): void;
}

const PREFIX = "roster/manifest/";
/** Manifests that are kept: proposals that were not agreed to among them, the oldest forgotten first. */
const MANIFESTS_MAX = 8;

export function createSuccessions(
  {
    transport,
    store,
    clock,
    roster,
    current,
  }: {
    readonly transport: Transport;
    readonly store: Store;
    readonly clock: Clock;
    readonly roster: RosterStore;
    /** What is trained under now. */
    readonly current: NetworkManifest;
  },
  { admissionTimeoutMs: timeoutMs }: Pick<MembershipLimits, "admissionTimeoutMs">,
): Successions {
  const held = new Map<NetworkId, NetworkManifest>();
  const listeners: (() => void)[] = [];
  const here = networkId(current);
  /** What the roster has agreed to, unless it is what is trained under already. */
  const agreed = () => {
    const { succession } = roster.log.state();
    return succession === undefined || succession.network === here ? undefined : succession;
  };
  const keep = async (manifest: NetworkManifest): Promise<void> => {
    const id = networkId(manifest);
    if (held.has(id)) return;
    held.set(id, manifest);
    const spare = [...held.keys()].find((known) => known !== agreed()?.network && known !== id);
    const isFull = held.size > MANIFESTS_MAX && spare !== undefined;
    if (isFull) held.delete(spare);
    await roster.save([
      { put: PREFIX + id, value: canonicalManifestBytes(manifest) },
      ...(isFull ? [{ delete: PREFIX + spare }] : []),
    ]);
  };
  return {
    async load() {
      for await (const [key, bytes] of store.entries(PREFIX)) {
        try {
          const manifest = manifestFromBytes(bytes);
          held.set(networkId(manifest), manifest);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          await store.batch([{ delete: key }]);
        }
      }
    },
    manifestOf: (network) => held.get(network),
    agreed() {
      const next = agreed();
      const manifest = next && held.get(next.network);
      return next === undefined || manifest === undefined ? undefined : { manifest, round: next.round };
    },
    isMissing() {
      const next = agreed();
      return next !== undefined && !held.has(next.network);
    },
    async fetch(peers, signal) {
      for (const peer of peers) {
        const next = agreed();
        if (next === undefined || held.has(next.network)) return;
        try {
          const manifest = await fetchManifest({ transport, clock }, { peer, timeoutMs, signal }, next.network);
          if (manifest === undefined || held.has(next.network)) continue;
          await keep(manifest);
        } catch (error) {
          if (signal.aborted) throw error;
          continue;
        }
        for (const listener of listeners) listener();
        return;
      }
    },
    async prepare(source) {
      const manifest = parseManifest(source);
      const statement = successionStatement(current, manifest);
      await keep(manifest);
      return statement;
    },
    onHeld: (listener) => void listeners.push(listener),
  };
}
