/** Whose clocks are asked before something is signed: liars among the members keep nobody from removing them. */
import type { Role } from "../../protocol/membership/roles.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** Who can be asked. */
export interface ClockSources {
  /** Peers that are connected now. */
  readonly present: () => readonly PeerId[];
  readonly roleOf: (peer: PeerId) => Role | undefined;
  /** By how many milliseconds this clock is ahead of a peer's.  Rejects where it does not say. */
  readonly aheadOf: (peer: PeerId) => Promise<number>;
}

/** Neighbours of one kind that are asked. */
const ASKED_MAX = 8;

/**
 * By how many milliseconds this clock is ahead of that of each of some admins that answer: it is they whose signatures are
 * needed. Where none does, that of the member whose clock is nearest to this one, so that one who tells the truth is enough. `about`:
 * whom the act is about, who is not asked.  Throws: nothing.
 */
export async function clocksBehind(
  { present, roleOf, aheadOf }: ClockSources,
  { about }: { readonly about: PeerId | undefined },
): Promise<readonly number[]> {
  const others = present().filter((peer) => peer !== about && roleOf(peer) !== undefined);
  const askAll = async (peers: readonly PeerId[]): Promise<readonly number[]> => {
    const answers = await Promise.allSettled(peers.slice(0, ASKED_MAX).map(aheadOf));
    // Who does not answer, or was asked a moment ago, says nothing of clocks.
    return answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  };
  const ofAdmins = await askAll(others.filter((peer) => roleOf(peer) === "admin"));
  if (ofAdmins.length > 0) return ofAdmins;
  const ofMembers = await askAll(others.filter((peer) => roleOf(peer) !== "admin"));
  return ofMembers.toSorted((a, b) => Math.abs(a) - Math.abs(b)).slice(0, 1);
}
