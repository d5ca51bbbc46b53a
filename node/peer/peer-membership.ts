/** A peer's own membership of a network with a roster: whether it may start, and when it ends. */
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerIn } from "../data-directory/key.ts";
import { NodeError } from "../errors.ts";
import { askForCheckup } from "../exchange/checkup.ts";
import type { Transport } from "../interface/transport.ts";
import { clocksBehind } from "../membership/clocks-behind.ts";
import { createMembership, type MembershipDependencies, type RosterMembership } from "../membership/membership.ts";
import { checkedRosterAction } from "../membership/roster-action.ts";
import { actOnRoster, type RosterAction, type RosterAnswer } from "../membership/roster-desk.ts";
import { statusError } from "../membership/status.ts";
import type { Shutdown } from "../shutdown.ts";
import { watchRequestInbox } from "../system/files/request-inbox.ts";
import { hasRoster, type NetworkPeerOptions } from "./network-peer-options.ts";
import type { PeerFiles } from "./peer-files.ts";

/**
 * The membership; undefined in an open network.
 * Throws: NOT_ALLOWED, MEMBERSHIP_ENDED where this peer is no member; GENESIS_INVALID; STORE_FAILED.
 */
export async function openMembership(
  { manifest, genesis, reach }: NetworkPeerOptions,
  dependencies: MembershipDependencies,
): Promise<RosterMembership | undefined> {
  if (!hasRoster(manifest)) return undefined;
  if (genesis === undefined) {
    const text = "the network has a roster, and a roster begins with a signed genesis; give the network's signed file";
    throw new NodeError("NOT_ALLOWED", text);
  }
  const membership = await createMembership(dependencies, { genesis, manifest });
  const { peer } = dependencies.signer;
  const role = membership.roleOf(peer);
  const problem =
    role === undefined ? statusError(membership.statusOf(peer), peer, membership.roster.log.state()) : undefined;
  if (problem !== undefined) throw problem;
  if (reach?.relay === true && role !== "relay" && role !== "admin") {
    const text = `only a member with the role relay or admin may relay; this peer is ${role}`;
    throw new NodeError("NOT_ALLOWED", text, { role, problem: "relay-without-role" });
  }
  return membership;
}

/** Rejects when this peer stops being a member; never in an open network. */
export function whenEnded(membership: RosterMembership | undefined, peer: PeerId): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    membership?.onChange(() => {
      const standing = membership.statusOf(peer);
      if (standing !== "member") reject(statusError(standing, peer, membership.roster.log.state()));
    });
  });
  // Nobody may be waiting for the end when it comes.
  ended.catch(() => undefined);
  return ended;
}

/** How long a neighbour may take to say what its clock shows. */
const CLOCK_TIMEOUT_MS = 3_000;

/** What acts on the roster of the running peer. */
export function rosterDesk(
  membership: RosterMembership,
  { clock, signer }: PeerFiles,
  transport: Transport,
): (action: RosterAction) => Promise<RosterAnswer> {
  /** Throws: NodeError where it does not answer, or was asked a moment ago. */
  const aheadOf = async (peer: PeerId): Promise<number> => {
    const call = { peer, addresses: [], signal: new AbortController().signal };
    const found = await askForCheckup({ transport, clock }, call, { timeoutMs: CLOCK_TIMEOUT_MS });
    return (found.askedAtMs + found.answeredAtMs) / 2 - found.timeMs;
  };
  const desk = {
    ...{ membership, clock, self: signer.peer, connected: () => transport.connected(), signerOf: signerIn },
    clocksBehind: (about: PeerId | undefined) =>
      clocksBehind(
        { present: () => transport.connected(), roleOf: (peer) => membership.roleOf(peer), aheadOf },
        { about },
      ),
  };
  return (action) => actOnRoster(desk, action);
}

/** Acts on a roster. */
export type ActOnRoster = (action: RosterAction) => Promise<RosterAnswer>;

/**
 * Let other programs of this machine act on the roster of the running peer, by its folder of requests and by what is returned.
 * `shutdown` ends it: what has begun comes to its end, and what comes later is refused (PEER_FAILED) before it has done anything.
 */
export async function serveOperators(
  act: ActOnRoster,
  { layout, clock, logs }: PeerFiles,
  shutdown: Shutdown,
): Promise<ActOnRoster> {
  const running = new Set<Promise<unknown>>();
  let isOver = false;
  const guarded: ActOnRoster = async (action) => {
    if (isOver) throw new NodeError("PEER_FAILED", "the peer is about to end; ask again in a moment");
    const acting = act(action);
    running.add(acting);
    try {
      return await acting;
    } finally {
      running.delete(acting);
    }
  };
  const requests = await watchRequestInbox(layout.requestInbox, { clock, logger: logs.of("membership") }, (request) =>
    guarded(checkedRosterAction(request)),
  );
  shutdown.add(async () => {
    await requests.stop();
    isOver = true;
    await Promise.allSettled(running);
  });
  return guarded;
}
