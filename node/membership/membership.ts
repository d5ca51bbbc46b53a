/**
 * The membership of one peer in a network with a roster, put together: the roster on disk, what waits for signatures,
 * gossip and exchange of entries, the gate at the connection, admission of who holds an invite. The exchange of updates asks
 * it at every layer (interface/membership.ts); people act through `members` (see roster-desk.ts).
 */
import type { Signer } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ShownJudgement, ShownMembership } from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { certificateOf, judgeCertificate } from "../../protocol/membership/certificate.ts";
import { decodeEntry, type EntryId, encodeEntry, type Terms } from "../../protocol/membership/entry.ts";
import { checkEquivocation, createEquivocationProof } from "../../protocol/membership/equivocation.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { mayForward, type Role } from "../../protocol/membership/roles.ts";
import type { AddRefusal } from "../../protocol/membership/roster-log.ts";
import { decodeNote, encodeNote, type RosterNote } from "../../protocol/membership/roster-note.ts";
import { keepsEarlierUpdates, type RosterState, roleOf } from "../../protocol/membership/roster-state.ts";
import { isWithin } from "../../protocol/membership/roster-view.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { rosterTopic } from "../../protocol/topic.ts";
import { createBackground } from "../exchange/background.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership, Standing } from "../interface/membership.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import type { GossipVerdict, PeerIdText, Transport } from "../interface/transport.ts";
import { serveAdmission } from "./admission.ts";
import { MEMBERSHIP_DEFAULTS, type MembershipLimits } from "./membership-limits.ts";
import { createMotions, type Motions } from "./motions.ts";
import type { NoteJudgement } from "./note-judgement.ts";
import { createNoteRates } from "./note-rates.ts";
import { rosterEvent, rosterEvents } from "./roster-events.ts";
import { createRosterPull } from "./roster-pull.ts";
import { openRosterStore, type RosterStore } from "./roster-store.ts";
import { createSuccessions, type Successions } from "./successions.ts";
import { createVisits } from "./visits.ts";

export interface MembershipDependencies {
  /** Stopped; the exchange starts and stops it. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the same identity as the transport. */
  readonly signer: Signer;
  readonly verify: VerifySignature;
}

export interface MembershipOptions extends Partial<MembershipLimits> {
  /** Of the roster's first network. */
  readonly genesis: Genesis;
  /** The manifest that is trained under; that of the genesis when absent. */
  readonly manifest?: NetworkManifest;
}

/** Membership as the composition root sees it. */
export interface RosterMembership extends Membership {
  readonly roster: RosterStore;
  readonly motions: Motions;
  readonly successions: Successions;
  /** The roster as a whole, as onEvent tells it. */
  rosterEvent(): RosterEvent;
  /** Handle protocols and gossip; before the transport starts, after the exchange was made. */
  start(): Promise<void>;
  /** End everything under way; idempotent. The transport is the exchange's to stop. */
  stop(): Promise<void>;
  /** Whether a connection may be made; for the transport's gate. */
  admits(peer: PeerIdText): boolean;
  /** Whether somebody takes part in gossip; for the transport. */
  mayGossip(peer: PeerIdText): boolean;
  /** A peer is past its handshake: ask it what it holds. */
  welcome(peer: PeerIdText): void;
  /** Ask one peer what it holds, whoever it is; resolves when it has answered or failed. */
  pull(peer: PeerIdText): Promise<void>;
  /** Ask every member that is connected what it holds; resolves when each has answered or failed. */
  pullAll(): Promise<void>;
  /** Take a note as if a neighbour had sent it, and pass it on.  Throws: nothing. */
  takeNote(note: RosterNote): NoteJudgement;
  /** How often notes were judged how, by code. */
  codes(): Readonly<Record<string, number>>;
  onEvent(listener: (event: RosterEvent) => void): void;
}

/** Keys of the store: proofs of equivocation, by their author. */
export const PROOF_PREFIX = "roster/proof/";
/** The certificate that this peer was admitted with; its roster may not have the entry yet. */
export const CERTIFICATE_KEY = "roster/certificate";

/** Refusals that the next try may not meet. */
const LATER: readonly AddRefusal[] = ["EARLY", "FULL"];

/** Throws: GENESIS_INVALID; NodeError STORE_FAILED, DISK_FULL. */
export async function createMembership(
  dependencies: MembershipDependencies,
  options: MembershipOptions,
): Promise<RosterMembership> {
  const { transport, store, clock, logger, signer, verify } = dependencies;
  const { genesis } = options;
  const limits: MembershipLimits = { ...MEMBERSHIP_DEFAULTS, ...options };
  const network = networkId(options.manifest ?? genesis.manifest);
  const roster = await openRosterStore(dependencies, genesis);
  const { log } = roster;
  const topic = rosterTopic(log.networkId);
  const background = createBackground({ logger });
  const rates = createNoteRates({ clock }, limits);
  const now = (): number => Math.floor(clock.now() / 1000);
  const proofs = new Map<PeerId, Uint8Array>();
  const changes: (() => void)[] = [];
  const listeners: ((event: RosterEvent) => void)[] = [];
  const codes: Record<string, number> = {};
  /** Terms of who has shown a certificate that this roster does not hold yet. */
  const presented = new Map<PeerId, Terms>();
  let ownCertificate: Uint8Array | undefined;

  const roleNow = (peer: PeerId): Role | undefined => {
    const state = log.state();
    const role = roleOf(state, peer, now());
    if (role !== undefined) return role;
    const terms = presented.get(peer);
    const isUnheard = !state.members.has(peer) && !state.removed.has(peer) && !state.barred.has(peer);
    return terms !== undefined && isUnheard && isWithin(terms, now()) ? terms.role : undefined;
  };
  const standingOf = (peer: PeerId): Standing => {
    const state = log.state();
    if (roleNow(peer) !== undefined) return "member";
    if (state.barred.has(peer) || state.removed.has(peer)) return "removed";
    const terms = state.members.get(peer) ?? presented.get(peer);
    if (terms === undefined) return "stranger";
    return now() > terms.notAfter ? "expired" : "early";
  };
  const isMember = (peer: PeerIdText): boolean => {
    const id = asPeerId(peer);
    return id !== undefined && roleNow(id) !== undefined;
  };
  const present = (): readonly PeerId[] => transport.connected().filter(isMember).map(parsePeerId);

  const publish = (note: RosterNote): void => {
    void background.run("gossip about the roster", () => transport.publish(topic, encodeNote(note)));
  };
  const onEquivocation = (kind: "announcement" | "roster-entry", first: Uint8Array, second: Uint8Array): void => {
    let body: Uint8Array;
    try {
      body = createEquivocationProof(kind, [first, second], verify);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      logger.debug("what looked like equivocation proves nothing", { error });
      return;
    }
    if (takeProof(body).verdict === "accept") publish({ kind: "proof", body });
  };
  const motions = createMotions({
    store,
    roster,
    signer,
    clock,
    logger,
    verify,
    present,
    publish,
    onEquivocation: (first, second) => onEquivocation("roster-entry", first, second),
  });
  const hangUp = (peer: PeerIdText): void => void background.run("hanging up", () => transport.hangUp(peer));
  /** Who was removed and is being told so, with what cancels the hang-up. */
  const dismissed = new Map<PeerIdText, () => void>();
  const dismiss = (peer: PeerIdText): void => {
    if (dismissed.has(peer)) return;
    dismissed.set(
      peer,
      clock.after(limits.farewellMs, () => hangUp(peer)),
    );
    // It sees from the question that this peer holds more, and asks in turn; what it answers is not read.
    void background.run("telling somebody that it was removed", async (signal) => {
      try {
        await pulls.pull(peer, { onEntry: () => {}, onNote: () => {} }, signal);
      } catch (error) {
        hangUp(peer);
        throw error;
      }
    });
  };
  const visits = createVisits(
    {
      clock,
      standingOf: (peer) => standingOf(parsePeerId(peer)),
      isCandidate: (peer) => motions.isCandidate(parsePeerId(peer)),
      hangUp,
      dismiss: (peer) => dismiss(peer),
    },
    limits,
  );

  const takeProof = (body: Uint8Array): NoteJudgement => {
    const { author, networkId: about, kind, sequence } = checkEquivocation(body, verify);
    const isOurs = kind === "announcement" ? about === network : about === log.networkId;
    if (!isOurs) return { verdict: "ignore", code: "NETWORK_MISMATCH" };
    // Of somebody who never was a member a proof says nothing that matters, and strangers could fill the disk with them.
    const state = log.state();
    if (!state.members.has(author) && !state.removed.has(author)) return { verdict: "ignore", code: "NOT_A_MEMBER" };
    if (proofs.has(author)) return { verdict: "ignore", code: "KNOWN" };
    proofs.set(author, body.slice());
    roster
      .save([{ put: PROOF_PREFIX + author, value: body }])
      .catch((error: unknown) => logger.warn("a proof was not written", { error }));
    log.noteEquivocation(author);
    logger.warn("somebody signed two different things under one number", { author, kind, sequence });
    tell({ type: "equivocation", peer: author, kind, sequence, isBarred: log.state().barred.has(author) });
    changed();
    return { verdict: "accept", code: "NEWS" };
  };
  const takeEntry = (body: Uint8Array, from: PeerIdText | undefined): NoteJudgement => {
    const result = roster.add(body);
    switch (result.outcome) {
      case "added":
        return { verdict: "accept", code: "NEWS" };
      case "known":
        return { verdict: "ignore", code: "KNOWN" };
      case "pending":
        if (from !== undefined) pullSoon(from);
        return { verdict: "ignore", code: "PENDING" };
      case "refused":
        return { verdict: LATER.includes(result.code) ? "ignore" : "reject", code: result.code };
    }
  };
  const judge = ({ kind, body }: RosterNote, from: PeerIdText | undefined): NoteJudgement => {
    try {
      const judgement =
        kind === "entry" ? takeEntry(body, from) : kind === "proof" ? takeProof(body) : motions.take({ kind, body });
      codes[judgement.code] = (codes[judgement.code] ?? 0) + 1;
      if (judgement.verdict === "accept" && kind !== "entry") void motions.settle();
      return judgement;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      codes[error.code] = (codes[error.code] ?? 0) + 1;
      return { verdict: "reject", code: error.code };
    }
  };
  const judgeBytes = (bytes: Uint8Array, from: PeerIdText): NoteJudgement => {
    let note: RosterNote;
    try {
      note = decodeNote(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { verdict: "reject", code: error.code };
    }
    return judge(note, from);
  };
  /** Gossip: who is no member is not listened to, and nobody is listened to without end. */
  const validate = (bytes: Uint8Array, from: PeerIdText): GossipVerdict => {
    const peer = asPeerId(from);
    if (peer === undefined || !mayForward(roleNow(peer)) || !rates.allows(from)) return "ignore";
    const { verdict, code } = judgeBytes(bytes, from);
    if (verdict !== "accept") logger.debug("a note about the roster is not passed on", { from, verdict, code });
    return verdict;
  };

  const pulls = createRosterPull(
    {
      transport,
      clock,
      log,
      isMember: (peer) => isMember(peer) || dismissed.has(peer),
      onServed: (peer) => {
        if (dismissed.has(peer)) hangUp(peer);
      },
      notes: () =>
        [...motions.notes(), ...[...proofs.values()].map((body) => ({ kind: "proof" as const, body }))].map(encodeNote),
      onBehind: (peer) => pullSoon(peer),
    },
    limits,
  );
  const pulling = new Map<PeerIdText, Promise<void>>();
  /** Ask a neighbour, unless it is being asked; what came of it is told to the others. */
  const pullSoon = (peer: PeerIdText): Promise<void> => {
    const running = pulling.get(peer);
    if (running !== undefined) return running;
    const started = background
      .run("asking for roster entries", (signal) => pullFrom(peer, signal))
      .finally(() => pulling.delete(peer));
    pulling.set(peer, started);
    return started;
  };
  const pullFrom = async (peer: PeerIdText, signal: AbortSignal): Promise<void> => {
    const fresh: Uint8Array[] = [];
    const onEntry = (body: Uint8Array): void => {
      const { verdict, code } = takeEntry(body, undefined);
      if (verdict === "reject") throw new ProtocolError("FIELD_INVALID", `roster entry of ${peer}: ${code}`);
      if (verdict === "accept") fresh.push(body);
    };
    await pulls.pull(peer, { onEntry, onNote: (bytes) => void judgeBytes(bytes, peer) }, signal);
    await roster.written();
    if (fresh.length === 0) return;
    if (fresh.length <= limits.gossipEntriesMax) for (const body of fresh) publish({ kind: "entry", body });
    // They see from what they are asked with that this peer holds more, and ask in turn.
    else for (const other of present()) if (other !== peer) void pullSoon(other);
  };

  const tell = (event: RosterEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        logger.error("a listener failed", { error });
      }
    }
  };
  let before: RosterState = log.state();
  let beforeSeconds = now();
  let cancelTimer: () => void = () => {};
  let cancelPull: () => void = () => {};
  /** Something entered, or somebody's time has come. */
  const changed = (): void => {
    const state = log.state();
    const seconds = now();
    const self = signer.peer;
    const events = rosterEvents({ self, state: before, seconds: beforeSeconds }, { self, state, seconds });
    const isSucceeded = state.succession !== undefined && state.succession.entry !== before.succession?.entry;
    before = state;
    beforeSeconds = seconds;
    for (const peer of [...presented.keys()])
      if (state.members.has(peer) || state.removed.has(peer)) presented.delete(peer);
    for (const event of events) tell(event);
    if (isSucceeded) tellSuccession();
    if (succession.isMissing())
      void background.run("fetching a manifest", (signal) => succession.fetch(present(), signal));
    for (const listener of changes) listener();
    visits.review();
    // Who was removed itself has nothing to do here any more.
    if (standingOf(signer.peer) === "removed") for (const peer of transport.connected()) hangUp(peer);
    arm();
    void motions.settle();
  };
  /** Wake when the next membership begins or ends. */
  const arm = (): void => {
    cancelTimer();
    const seconds = now();
    const skew = LIMITS.clockSkewSeconds;
    const terms = [...log.state().members.values(), ...presented.values()];
    const times = terms.flatMap(({ notBefore, notAfter }) => [notBefore - skew, notAfter + skew + 1]);
    const next = times.reduce((least, time) => (time > seconds ? Math.min(least, time) : least), Infinity);
    if (background.signal.aborted || next === Infinity) return;
    cancelTimer = clock.after(next * 1000 - clock.now(), changed);
  };
  /** Several entries of one message are looked at together. */
  let isChangeDue = false;
  roster.onEntry(() => {
    if (isChangeDue) return;
    isChangeDue = true;
    queueMicrotask(() => {
      isChangeDue = false;
      if (!background.signal.aborted) changed();
    });
  });
  const pullNext = (turn: number): void => {
    cancelPull = clock.after(limits.pullIntervalMs, () => {
      const neighbours = present();
      const peer = neighbours[turn % Math.max(1, neighbours.length)];
      if (peer !== undefined) void pullSoon(peer);
      pullNext(turn + 1);
    });
  };

  const succession = createSuccessions(
    { transport, store, clock, roster, current: options.manifest ?? genesis.manifest },
    limits,
  );
  const tellSuccession = (): void => {
    const agreed = log.state().succession;
    if (agreed === undefined) return;
    const { network: next, round } = agreed;
    tell({ type: "succession", network: next, round, isHeld: succession.manifestOf(next) !== undefined });
  };
  succession.onHeld(tellSuccession);

  const load = async (): Promise<void> => {
    await succession.load();
    for await (const [key, body] of store.entries(PROOF_PREFIX)) {
      try {
        const { author } = checkEquivocation(body, verify);
        proofs.set(author, body);
        log.noteEquivocation(author);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        logger.warn("a stored proof was dropped", { key });
        await store.batch([{ delete: key }]);
      }
    }
    ownCertificate = await store.get(CERTIFICATE_KEY);
    if (ownCertificate !== undefined) rememberTerms(signer.peer, ownCertificate);
    await motions.load();
    before = log.state();
  };
  /** Remember the terms of a certificate that holds by what this roster knows; false when it does not. */
  const rememberTerms = (peer: PeerId, certificate: Uint8Array): ShownJudgement => {
    const judged = judgeCertificate(certificate, { state: log.state(), peer, nowSeconds: now(), verify });
    if (judged.isAccepted) {
      if (log.state().members.get(peer) === undefined) {
        presented.set(peer, judged.terms);
        if (presented.size > limits.visitsRememberedMax) {
          for (const oldest of presented.keys()) {
            presented.delete(oldest);
            break;
          }
        }
      }
      // Its parents may be missing; then it waits, and is asked for with them after the handshake.
      roster.add(certificate);
      arm();
      return "WELCOME";
    }
    switch (judged.code) {
      case "BARRED":
      case "REMOVED":
        return "REMOVED";
      case "EXPIRED":
        return "EXPIRED";
      default:
        return "NOT_A_MEMBER";
    }
  };
  const entryOf = (certificate: Uint8Array): EntryId | undefined => {
    try {
      return decodeEntry(certificate).id;
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  };
  const judgeShown = (peer: PeerId, { certificate, entries }: ShownMembership): ShownJudgement => {
    const standing = standingOf(peer);
    if (standing === "member") return "WELCOME";
    if (certificate.length === 0) return refusalOf(standing);
    for (const entry of entries) {
      const result = roster.add(entry);
      // Whoever sends one wrong entry is not read to the end.
      if (result.outcome === "refused") break;
    }
    if (roleNow(peer) !== undefined) return "WELCOME";
    const again = standingOf(peer);
    if (again === "removed") return "REMOVED";
    const judged = rememberTerms(peer, certificate);
    if (judged === "WELCOME") return roleNow(peer) === undefined ? refusalOf(standingOf(peer)) : "WELCOME";
    // It may rest on entries that have not come here, once.
    const id = entryOf(certificate);
    const isNew = id !== undefined && log.get(id) === undefined;
    return isNew && entries.length === 0 ? "ROSTER" : judged;
  };

  const start = async (): Promise<void> => {
    transport.onConnect((peer) => {
      visits.begin(peer);
      void motions.settle();
    });
    transport.onDisconnect((peer) => {
      visits.end(peer);
      dismissed.get(peer)?.();
      dismissed.delete(peer);
    });
    transport.subscribe(topic, { validate, deliver: () => {} });
    await pulls.start();
    await serveAdmission(
      {
        transport,
        clock,
        logger,
        roster,
        motions,
        signer,
        verify,
        publish,
        isMember,
        onChange: (listener) => listenOnce(listener),
      },
      {
        genesis,
        timeoutMs: limits.admissionTimeoutMs,
        waitMs: limits.admissionWaitMs,
        manifestOf: succession.manifestOf,
      },
    );
    arm();
    pullNext(0);
    void motions.settle();
  };
  /** Listen until the returned function is called. */
  const listenOnce = (listener: () => void): (() => void) => {
    changes.push(listener);
    return () => {
      const at = changes.indexOf(listener);
      if (at >= 0) changes.splice(at, 1);
    };
  };

  await load();
  return {
    roster,
    motions,
    successions: succession,
    rosterEvent: () => rosterEvent({ self: signer.peer, state: log.state(), seconds: now() }),
    start,
    async stop() {
      cancelTimer();
      cancelPull();
      visits.stop();
      for (const cancel of dismissed.values()) cancel();
      motions.stop();
      await background.stop();
      await roster.written();
    },
    admits: (peer) => visits.admits(peer),
    mayGossip: isMember,
    welcome(peer) {
      void pullSoon(peer);
      if (succession.isMissing())
        void background.run("fetching a manifest", (signal) => succession.fetch([peer], signal));
    },
    pull: pullSoon,
    pullAll: async () => {
      await Promise.all(present().map((peer) => pullSoon(peer)));
    },
    takeNote(note) {
      const judgement = judge(note, undefined);
      if (judgement.verdict === "accept") publish(note);
      return judgement;
    },
    codes: () => ({ ...codes }),
    onEvent: (listener) => void listeners.push(listener),
    roleOf: roleNow,
    standingOf,
    keepsUpdatesOf: (author) => keepsEarlierUpdates(log.state(), author),
    judgeShown,
    shown(known) {
      const certificate = certificateOf(log, signer.peer) ?? ownCertificate ?? new Uint8Array();
      const entries = known === undefined || certificate.length === 0 ? [] : restOf(certificate, known);
      return { heads: log.nextParents(), certificate, entries };
    },
    heads: () => log.nextParents(),
    reportEquivocation: (first, second) => onEquivocation("announcement", first, second),
    onChange: (listener) => void changes.push(listener),
  };

  /** Entries that a certificate rests on and that somebody with these heads lacks, parents first, as many as are read. */
  function restOf(certificate: Uint8Array, known: readonly EntryId[]): readonly Uint8Array[] {
    const held = pastOf(known);
    const needed = pastOf([decodeEntry(certificate).id]);
    let room = LIMITS.rosterMessageBytesMax;
    const bytes: Uint8Array[] = [];
    for (const entry of log.entries()) {
      if (!needed.has(entry.id) || held.has(entry.id)) continue;
      const encoded = encodeEntry(entry);
      room -= encoded.length;
      if (room < 0) break;
      bytes.push(encoded);
    }
    return bytes;
  }
  /** These entries and all that they follow, as far as they are here. */
  function pastOf(ids: readonly EntryId[]): ReadonlySet<EntryId> {
    const seen = new Set<EntryId>();
    const open = [...ids];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(log.get(next)?.parents ?? []));
    }
    return seen;
  }
}

function refusalOf(standing: Standing): ShownJudgement {
  switch (standing) {
    case "member":
      return "WELCOME";
    case "stranger":
    case "early":
      return "NOT_A_MEMBER";
    case "expired":
      return "EXPIRED";
    case "removed":
      return "REMOVED";
  }
}

function asPeerId(peer: PeerIdText): PeerId | undefined {
  try {
    return parsePeerId(peer);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
