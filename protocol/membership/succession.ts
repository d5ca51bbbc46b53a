/** A network that goes on under another manifest: the next manifest names the one before, and the roster agrees to it. */
import canonicalize from "canonicalize";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkId } from "../network-id.ts";
import { type NetworkManifest, networkId } from "../network-manifest.ts";
import type { Statement } from "./entry.ts";
import { rosterIdOf } from "./genesis.ts";
import type { RosterState, Succession } from "./roster-state.ts";

/** The manifest after `before`, with changes; it keeps the roster and takes over at `round`.  Throws: MANIFEST_INVALID. */
export function succeedingManifest(
  before: NetworkManifest,
  changes: Omit<Partial<NetworkManifest>, "schema" | "membership" | "succeeds">,
  round: number,
): NetworkManifest {
  const succeeds = { network: networkId(before), first: rosterIdOf(before), round };
  const next = { ...before, ...changes, succeeds };
  checkSuccessor(before, next);
  return next;
}

/** The statement of an entry by which the roster agrees to the next manifest.  Throws: MANIFEST_INVALID. */
export function successionStatement(before: NetworkManifest, next: NetworkManifest): Statement {
  return { kind: "succeed", successor: networkId(next), round: checkSuccessor(before, next) };
}

/** Whether the roster has agreed to go on under this manifest.  Throws: MANIFEST_INVALID when it does not follow. */
export function isAgreedSuccessor(state: RosterState, before: NetworkManifest, next: NetworkManifest): boolean {
  const round = checkSuccessor(before, next);
  return state.succession?.network === networkId(next) && state.succession.round === round;
}

/** The successions that follow from a roster and the manifests at hand. */
export interface SuccessorChain {
  /** From the genesis' on, each the successor of the one before; the network goes on under the last one. */
  readonly manifests: readonly NetworkManifest[];
  /** A manifest that has to be known to tell; undefined when all are here. */
  readonly missing: NetworkId | undefined;
}

/**
 * The manifests that a network goes through, as its roster has agreed (README 10.9). The newest succession counts whose
 * manifest leads back to the genesis', link by link; one that does not lead there is as if it were not. While a manifest of a
 * newer succession is missing, the newest whole chain is given.
 */
export function successorChain(
  first: NetworkManifest,
  { successions }: Pick<RosterState, "successions">,
  manifestOf: (network: NetworkId) => NetworkManifest | undefined,
): SuccessorChain {
  let missing: NetworkId | undefined;
  const agreed = successions.slice(-LIMITS.successionCountMax);
  for (let last = agreed.length - 1; last >= 0; last--) {
    const led = leadBack(agreed.slice(0, last + 1), { first, manifestOf });
    if (led.kind === "whole") return { manifests: [first, ...led.manifests], missing };
    if (led.kind === "missing") missing ??= led.network;
  }
  return { manifests: [first], missing };
}

type Led =
  | { readonly kind: "whole"; readonly manifests: readonly NetworkManifest[] }
  | { readonly kind: "missing"; readonly network: NetworkId }
  | { readonly kind: "unlinked" };

/** From the last of them to the genesis': each names the one before, which an earlier entry has agreed to. */
function leadBack(
  agreed: readonly Succession[],
  {
    first,
    manifestOf,
  }: {
    readonly first: NetworkManifest;
    readonly manifestOf: (network: NetworkId) => NetworkManifest | undefined;
  },
): Led {
  const start = networkId(first);
  const manifests: NetworkManifest[] = [];
  let link = agreed.at(-1);
  while (link !== undefined) {
    const { network, round } = link;
    const manifest = manifestOf(network);
    if (manifest === undefined) return { kind: "missing", network };
    const { succeeds } = manifest;
    if (succeeds?.round !== round) return { kind: "unlinked" };
    manifests.unshift(manifest);
    const isFirst = succeeds.network === start;
    // Rounds fall from link to link, so this ends.
    const earlier = agreed.findLast((one) => one.network === succeeds.network && one.round < round);
    const before = isFirst ? first : earlier && manifestOf(earlier.network);
    if (before === undefined) {
      return earlier === undefined ? { kind: "unlinked" } : { kind: "missing", network: earlier.network };
    }
    if (!follows(before, manifest)) return { kind: "unlinked" };
    if (isFirst) return { kind: "whole", manifests };
    link = earlier;
  }
  return { kind: "unlinked" };
}

function follows(before: NetworkManifest, next: NetworkManifest): boolean {
  try {
    checkSuccessor(before, next);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** The round at which `next` takes over from `before`.  Throws: MANIFEST_INVALID, naming the field that does not fit. */
function checkSuccessor(before: NetworkManifest, next: NetworkManifest): number {
  const { succeeds } = next;
  if (succeeds === undefined) throw invalid("succeeds is missing, so it is a network of its own");
  if (before.membership?.kind !== "roster") throw invalid("the network before has no roster that could agree to it");
  if (succeeds.network !== networkId(before)) throw invalid("succeeds.network is not the network before");
  if (succeeds.first !== rosterIdOf(before)) throw invalid("succeeds.first is not the network of the roster");
  if (canonicalize(next.membership) !== canonicalize(before.membership))
    throw invalid("membership must stay as it was");
  if (before.succeeds !== undefined && succeeds.round <= before.succeeds.round) {
    throw invalid("succeeds.round must be later than that of the network before");
  }
  return succeeds.round;
}

const invalid = (text: string) => new ProtocolError("MANIFEST_INVALID", `network manifest: ${text}`);
