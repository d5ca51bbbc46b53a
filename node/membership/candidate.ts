/**
 * The side of a newcomer: with an invite it gets the genesis from any member that the invite names, and asks for admission
 * until the admins have decided. It is a stranger meanwhile, so each visit is short and there are pauses between them.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { AdmissionRefusal } from "../../protocol/membership/admission.ts";
import { decodeEntry, END_OF_TIME, type Grant, isGrant } from "../../protocol/membership/entry.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { Invite } from "../../protocol/membership/invite.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError, type Problem } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import { askForAdmission } from "./admission.ts";
import { fetchGenesis, fetchSuccessors, type SuccessorStory } from "./network-exchange.ts";

/** What a newcomer needs. */
export interface CandidateDependencies {
  /** Started. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly verify: VerifySignature;
}

/** With what it asks, and whom. */
export interface CandidateOptions {
  readonly invite: Invite;
  /** An AdmissionRequest by the invite, of this transport's identity. */
  readonly request: Uint8Array;
  /** Multiaddrs of members, tried in this order. */
  readonly addresses: readonly string[];
  readonly signal: AbortSignal;
  /** Told of each visit that reached nobody while the network is looked for. */
  readonly onUnreachable?: (reason: string) => void;
  readonly timeoutMs?: number;
  /** Pause between two visits. */
  readonly pauseMs?: number;
}

/** What a member has answered. */
export interface Admission {
  /** The bytes of the entry that admits this peer. */
  readonly entry: Uint8Array;
  /** Who sent it, and holds what it rests on. */
  readonly member: PeerId;
}

/** What became of one visit that did not decide anything. */
export type Waiting =
  | { readonly kind: "pending"; readonly member: PeerId }
  | { readonly kind: "unreachable"; readonly reason: string };

/** Time for one dial, and for one question. */
const TIMEOUT_MS = 20_000;
/** Somebody who waits for an answer is let in every five seconds (membership-limits.ts). */
const PAUSE_MS = 6_000;
/** A member that nobody knows yet is let in once a minute; a missed visit is tried again until then. */
const FIRST_VISIT_MS = 75_000;

/** A network as one of its members tells who holds an invite. */
export interface FoundNetwork {
  /** Verified: of the network that the invite names, signed by its founders. */
  readonly genesis: Genesis;
  /** How it has gone on since, linked by hashes; that the members have agreed to it the roster says later. */
  readonly story: SuccessorStory;
}

/**
 * The genesis of the invite's network, and under what it has gone on.
 * Throws: NodeError NOT_ALLOWED (the invite is not taken, and why), NOT_ADMITTED (what came is no answer), DIAL_FAILED (no
 * member answers).
 */
export async function findNetwork(
  dependencies: CandidateDependencies,
  options: CandidateOptions,
): Promise<FoundNetwork> {
  const { clock } = dependencies;
  const { invite, signal, pauseMs = PAUSE_MS } = options;
  const untilMs = clock.now() + FIRST_VISIT_MS;
  const { networkId: network } = invite.ticket;
  for (;;) {
    let reason = "the invite names no address";
    let refused: Error | undefined;
    for (const address of options.addresses) {
      signal.throwIfAborted();
      try {
        return await visit(dependencies, options, address, async (peer) => {
          const call = { peer, timeoutMs: options.timeoutMs ?? TIMEOUT_MS, signal };
          try {
            const { verify } = dependencies;
            const { request } = options;
            const genesis = await fetchGenesis(dependencies, call, { request, network, verify });
            const story = await fetchSuccessors(dependencies, call, { request, first: genesis.manifest });
            return { genesis, story };
          } catch (error) {
            if (!(error instanceof NodeError) || error.code !== "NOT_ALLOWED") throw error;
            // The same member says why.
            const reply = await askForAdmission(dependencies, call, {
              request: options.request,
              verify: dependencies.verify,
            });
            throw reply.code === "denied" ? deniedError(reply.reason) : error;
          }
        });
      } catch (error) {
        signal.throwIfAborted();
        // What one member says, or sends instead of an answer, holds where no other one says better.
        if (!isUnreachable(error)) refused ??= answerError(error);
        else {
          reason = error.message;
          options.onUnreachable?.(reason);
        }
      }
    }
    if (refused !== undefined) throw refused;
    if (options.addresses.length === 0 || clock.now() >= untilMs) {
      throw new NodeError("DIAL_FAILED", `no member of the invite's network answers: ${reason}`, {
        network,
        ...(options.addresses.length === 0 && { problem: "invite-without-address" }),
      });
    }
    await pause(clock, pauseMs, signal);
  }
}

/**
 * Ask until there is an answer.
 * onWaiting: told after every visit that decided nothing.
 * Throws: NodeError NOT_ALLOWED (denied, and why), NOT_ADMITTED (what came admits nobody); the signal's reason.
 */
export async function waitForAdmission(
  dependencies: CandidateDependencies,
  options: CandidateOptions & { readonly genesis: Genesis; readonly onWaiting?: (waiting: Waiting) => void },
): Promise<Admission> {
  const { clock, verify, transport } = dependencies;
  const { signal, genesis, request, onWaiting, pauseMs = PAUSE_MS, timeoutMs = TIMEOUT_MS } = options;
  // Who says that it waits may not have passed the question on: the next visit begins with the next member.
  for (let first = 0; ; first++) {
    let denied: Error | undefined;
    let isPending = false;
    for (const address of rotated(options.addresses, first)) {
      signal.throwIfAborted();
      try {
        const reply = await visit(dependencies, options, address, (peer) =>
          askForAdmission(dependencies, { peer, timeoutMs, signal }, { request, verify }),
        );
        if (reply.code === "admitted") {
          requireGrant(reply.entry, { genesis, peer: transport.peer as PeerId, verify });
          return { entry: reply.entry, member: reply.admin };
        }
        if (reply.code === "pending") {
          isPending = true;
          onWaiting?.({ kind: "pending", member: reply.admin });
          break;
        }
        denied ??= deniedError(reply.reason);
      } catch (error) {
        signal.throwIfAborted();
        if (!isUnreachable(error)) denied ??= answerError(error);
        else onWaiting?.({ kind: "unreachable", reason: error.message });
      }
    }
    // What one member says may be a lie or out of date; it holds where no other one takes the question.
    if (denied !== undefined && !isPending) throw denied;
    await pause(clock, pauseMs, signal);
  }
}

/** What a member's answer leads to: what it says as it is, and what is no answer as its fault, not as one of whoever asks. */
function answerError(error: unknown): Error {
  const isNoAnswer =
    error instanceof ProtocolError || (error instanceof NodeError && error.code === "MANIFEST_MISMATCH");
  if (!isNoAnswer) return error instanceof Error ? error : new Error(String(error));
  const text = `a member of the network sends what admits nobody: ${error.message}; ask another member, or for another invite`;
  return new NodeError("NOT_ADMITTED", text, { code: error.code }, { cause: error });
}

/** The same list, from another place on. */
function rotated<T>(list: readonly T[], first: number): readonly T[] {
  const at = list.length === 0 ? 0 : first % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/**
 * What an admission grants, as far as the genesis alone tells: an entry that rests on others is judged with the roster.
 * Throws: NodeError NOT_ADMITTED.
 */
export function requireGrant(
  bytes: Uint8Array,
  { genesis, peer, verify }: { readonly genesis: Genesis; readonly peer: PeerId; readonly verify: VerifySignature },
): Grant {
  const refused = (why: string): NodeError =>
    new NodeError("NOT_ADMITTED", `the certificate that came admits nobody: ${why}; ask another member`, { peer });
  let statement: ReturnType<typeof decodeEntry>["statement"];
  try {
    ({ statement } = decodeEntry(bytes));
  } catch (error) {
    if (error instanceof ProtocolError) throw refused(error.message);
    throw error;
  }
  if (!isGrant(statement)) throw refused("it grants nothing");
  if (statement.subject !== peer) throw refused(`it is for ${statement.subject}`);
  const result = new RosterLog(genesis, { verify }).add(bytes, END_OF_TIME);
  if (result.outcome === "refused") throw refused(result.text);
  return statement;
}

/** The line for who is denied. */
export function deniedError(reason: AdmissionRefusal): NodeError {
  return new NodeError("NOT_ALLOWED", `not admitted: ${DENIALS[reason]}`, { reason, ...OWN_KEY[reason] });
}

/** What is wrong with the key of who asks; who asks can do something about it. */
const OWN_KEY: Readonly<Partial<Record<AdmissionRefusal, { readonly problem: Problem }>>> = {
  BARRED: { problem: "key-barred" },
  REMOVED: { problem: "key-barred" },
  ALREADY_MEMBER: { problem: "member-already" },
};

const DENIALS: Readonly<Record<AdmissionRefusal, string>> = {
  MALFORMED: "the member cannot read the request; both sides need the same version of weft",
  NETWORK_MISMATCH: "the member is of another network than the invite is for; check the invite",
  ISSUER_NOT_ADMIN: "the issuer of the invite is no admin any more; ask another admin for an invite",
  INVITE_EXPIRED: "the invite has expired; ask for a new one",
  EARLY: `the clock of this machine is more than ${LIMITS.clockSkewSeconds / 60} minutes fast; set it right`,
  BARRED: "this key signed two different things under one number and is barred",
  REMOVED: "this key was removed from the network",
  ALREADY_MEMBER: "this key is a member already",
  INVITE_USED: "the invite is used up; ask for a new one",
  TICKET_INVALID: "the invite does not come from the admin that it names; ask an admin for another one",
  SIGNATURE_INVALID: "the request's signature does not hold",
  PROOF_INVALID: "the request does not show the invite's secret",
  DECLINED: "the admins declined; ask them",
};

/** Connect, unless there is a connection, and use it. */
async function visit<T>(
  { transport }: CandidateDependencies,
  { signal, timeoutMs = TIMEOUT_MS }: CandidateOptions,
  address: string,
  use: (peer: PeerId) => Promise<T>,
): Promise<T> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const named = transport.connected().find((peer) => address.endsWith(`/p2p/${peer}`));
  const peer = named ?? (await transport.dial(address, within));
  return await use(peer);
}

/** Nobody there, or somebody who does not let strangers in at the moment: worth another try. */
function isUnreachable(error: unknown): error is NodeError {
  return (
    error instanceof NodeError && ["DIAL_FAILED", "STREAM_FAILED", "TIMEOUT", "FRAME_INVALID"].includes(error.code)
  );
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
