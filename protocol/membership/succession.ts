/** A network that goes on under another manifest: the next manifest names the one before, and the roster agrees to it. */
import canonicalize from "canonicalize";
import { ProtocolError } from "../errors.ts";
import { type NetworkManifest, networkId } from "../network-manifest.ts";
import type { Statement } from "./entry.ts";
import { rosterIdOf } from "./genesis.ts";
import type { RosterState } from "./roster-state.ts";

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

/** What an entry has to say so that the roster agrees to the next manifest.  Throws: MANIFEST_INVALID. */
export function successionStatement(before: NetworkManifest, next: NetworkManifest): Statement {
  return { kind: "succeed", successor: networkId(next), round: checkSuccessor(before, next) };
}

/** Whether the roster has agreed to go on under this manifest.  Throws: MANIFEST_INVALID when it does not follow. */
export function isAgreedSuccessor(state: RosterState, before: NetworkManifest, next: NetworkManifest): boolean {
  const round = checkSuccessor(before, next);
  return state.succession?.network === networkId(next) && state.succession.round === round;
}

/** The round at which `next` takes over from `before`.  Throws: MANIFEST_INVALID, naming what does not fit. */
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
