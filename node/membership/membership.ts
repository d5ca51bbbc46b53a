/**
 * The membership of one peer in a network with a roster, put together: the roster on disk, what waits for signatures,
 * gossip and exchange of entries, the gate at the connection, admission of who holds an invite. The exchange of updates asks
 * it at every layer (interface/membership.ts); people act through `members` (see roster-desk.ts).
 */
import type { Signer } from "../../protocol/envelope.ts";
import { rosterTopic } from "../../protocol/gossip-topics.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { encodeNote, type RosterNote } from "../../protocol/membership/roster-note.ts";
import { keepsEarlierUpdates } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { createBackground } from "../exchange/background.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership } from "../interface/membership.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { serveAdmission } from "./admission.ts";
import { createAskRates } from "./ask-rates.ts";
import { createCertificates } from "./certificates.ts";
import { createElsewhere } from "./elsewhere.ts";
import { createEquivocationProofs } from "./equivocation-proofs.ts";
import { MEMBERSHIP_DEFAULTS, type MembershipLimits } from "./membership-limits.ts";
import { createMotions, type Motions } from "./motions.ts";
import { createNeighbourPulls } from "./neighbour-pulls.ts";
import { createNoteIntake } from "./note-intake.ts";
import type { NoteJudgement } from "./note-judgement.ts";
import { createNoteRates } from "./note-rates.ts";
import { rosterEvent } from "./roster-events.ts";
import { openRosterStore, type RosterStore } from "./roster-store.ts";
import { createRosterWatch } from "./roster-watch.ts";
import { createStandings } from "./standings.ts";
import { createSuccessions, type Successions, type SuccessorLink } from "./successions.ts";
import { serveSuccessors } from "./successor-exchange.ts";
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
  admits(peer: PeerId): boolean;
  /** Whether somebody takes part in gossip; for the transport. */
  mayGossip(peer: PeerId): boolean;
  /** A peer is past its handshake: ask it what it holds. */
  welcome(peer: PeerId): void;
  /** Ask one peer what it holds, whoever it is; resolves when it has answered or failed. */
  pull(peer: PeerId): Promise<void>;
  /** Ask every member that is connected what it holds; resolves when each has answered or failed. */
  pullAll(): Promise<void>;
  /** What this peer should go over to, in turn, because the others have; see elsewhere.ts. */
  followed(): readonly SuccessorLink[];
  /** Called when what `successions` or `followed` say may have changed. */
  onSuccession(listener: () => void): void;
  /** Take a note as if a neighbour had sent it, and pass it on.  Throws: nothing. */
  takeNote(note: RosterNote): NoteJudgement;
  /** How often notes were judged how, by code. */
  codes(): Readonly<Record<string, number>>;
  onEvent(listener: (event: RosterEvent) => void): void;
}

/** Key of the store: the certificate that this peer was admitted with; its roster may not have the entry yet. */
export const CERTIFICATE_KEY = "roster/certificate";

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
  const now = (): number => Math.floor(clock.now() / 1000);
  const changes: (() => void)[] = [];

  const standings = createStandings({ log, clock }, limits);
  const { isMember, standingOf } = standings;
  const present = (): readonly PeerId[] => transport.connected().filter(isMember).map(parsePeerId);
  const publish = (note: RosterNote): void => {
    void background.run("gossip about the roster", () => transport.publish(topic, encodeNote(note)));
  };
  const hangUp = (peer: PeerId): void => void background.run("hanging up", () => transport.hangUp(peer));
  const proofs = createEquivocationProofs({
    ...{ store, roster, logger, verify, network },
    onProven(event) {
      watch.tell(event);
      watch.changed();
    },
  });
  const onEquivocation = (kind: "announcement" | "roster-entry", first: Uint8Array, second: Uint8Array): void => {
    const body = proofs.prove(kind, first, second);
    if (body !== undefined) publish({ kind: "proof", body });
  };
  const motions = createMotions({
    ...{ store, roster, signer, clock, logger, verify, present, publish },
    onEquivocation: (first, second) => onEquivocation("roster-entry", first, second),
  });
  const pulls = createNeighbourPulls(
    {
      ...{ transport, clock, roster, background, isMember, present, publish, hangUp },
      intake: () => intake,
      notes: () => [...motions.notes(), ...proofs.bodies().map((body) => ({ kind: "proof" as const, body }))],
    },
    limits,
  );
  const intake = createNoteIntake({
    ...{ roster, motions, proofs, logger, roleOf: standings.roleOf },
    rates: createNoteRates({ clock }, limits),
    onPending: (from) => void pulls.pull(from),
  });
  const visits = createVisits(
    {
      clock,
      standingOf: (peer) => standingOf(parsePeerId(peer)),
      isCandidate: (peer) => motions.isCandidate(parsePeerId(peer)),
      hangUp,
      dismiss: pulls.dismiss,
    },
    limits,
  );
  const certificates = createCertificates({
    ...{ store, roster, standings, clock, verify, self: signer.peer, certificateKey: CERTIFICATE_KEY },
    onRemembered: () => watch.arm(),
  });

  const watch = createRosterWatch({
    ...{ roster, standings, clock, logger, self: signer.peer, signal: background.signal },
    onChanged({ isSucceeded }) {
      if (isSucceeded) tellSuccession();
      successionChanged();
      if (succession.isMissing()) fetchSuccession(present());
      for (const listener of changes) listener();
      visits.review();
      // Who was removed itself has nothing to do here any more.
      if (standingOf(signer.peer) === "removed") for (const peer of transport.connected()) hangUp(peer);
      void motions.settle();
    },
  });
  const succession = createSuccessions(
    { transport, store, clock, roster, first: genesis.manifest, current: options.manifest ?? genesis.manifest },
    limits,
  );
  const tellSuccession = (): void => {
    const agreed = log.state().succession;
    if (agreed === undefined) return;
    const { network: next, round } = agreed;
    watch.tell({ type: "succession", network: next, round, isHeld: succession.manifestOf(next) !== undefined });
  };
  const fetchSuccession = (from: readonly PeerId[]): void =>
    void background.run("fetching a manifest", (signal) => succession.fetch(from, signal));
  succession.onHeld(() => {
    tellSuccession();
    successionChanged();
  });
  const elsewhere = createElsewhere({ successions: succession, isMember });
  const successionListeners: (() => void)[] = [];
  const successionChanged = (): void => {
    for (const listener of successionListeners) listener();
  };
  /** Whether a network comes before the one that this peer is in. */
  const isBehind = (other: NetworkId): boolean => {
    const ids = succession.chain().map(networkId);
    return ids.includes(other) && ids.indexOf(other) < ids.indexOf(network);
  };

  const start = async (): Promise<void> => {
    transport.onConnect((peer) => {
      visits.begin(peer);
      void motions.settle();
    });
    transport.onDisconnect((peer) => {
      visits.end(peer);
      elsewhere.left(peer);
      successionChanged();
      pulls.forget(peer);
    });
    transport.subscribe(topic, { validate: intake.validate, deliver: () => {} });
    await pulls.start();
    const asked = { windowMs: limits.pullWindowMs, peersMax: limits.visitsRememberedMax };
    const admission = await serveAdmission(
      { transport, clock, logger, roster, motions, signer, verify, publish, isMember, onChange: listenOnce },
      {
        genesis,
        timeoutMs: limits.admissionTimeoutMs,
        waitMs: limits.admissionWaitMs,
        manifestOf: succession.manifestOf,
        manifestRates: createAskRates(
          { clock },
          { ...asked, what: "manifests", perWindowMax: limits.manifestsPerWindowMax },
        ),
      },
    );
    await serveSuccessors(
      {
        ...{ transport, clock, mayKnow: admission.mayKnow },
        rates: createAskRates({ clock }, { ...asked, what: "successors", perWindowMax: limits.storiesPerWindowMax }),
        story: () => ({ manifests: succession.chain(), network }),
      },
      { timeoutMs: limits.admissionTimeoutMs },
    );
    watch.arm();
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

  await succession.load();
  await proofs.load();
  await certificates.load();
  await motions.load();
  watch.begin();
  return {
    roster,
    motions,
    successions: succession,
    rosterEvent: () => rosterEvent({ self: signer.peer, state: log.state(), seconds: now() }),
    start,
    async stop() {
      watch.stop();
      visits.stop();
      pulls.stop();
      motions.stop();
      await background.stop();
      await roster.written();
    },
    admits: (peer) => visits.admits(peer),
    mayGossip: isMember,
    followed: elsewhere.followed,
    onSuccession: (listener) => void successionListeners.push(listener),
    async meetElsewhere(peer, manifest) {
      const theirs = networkId(manifest);
      elsewhere.note(peer, theirs);
      await pulls.pull(peer);
      await background.run("fetching a manifest", (signal) => succession.fetch([peer], signal));
      successionChanged();
      // It is the other one that has to go on, and hangs up when it has what it needs.
      if (isBehind(theirs)) await new Promise(() => {});
    },
    welcome(peer) {
      elsewhere.joined(peer);
      void pulls.pull(peer);
      if (succession.isMissing()) fetchSuccession([peer]);
    },
    pull: pulls.pull,
    pullAll: async () => {
      await Promise.all(present().map((peer) => pulls.pull(peer)));
    },
    takeNote(note) {
      const judgement = intake.note(note, undefined);
      if (judgement.verdict === "accept") publish(note);
      return judgement;
    },
    codes: intake.codes,
    onEvent: watch.onEvent,
    roleOf: standings.roleOf,
    standingOf,
    keepsUpdatesOf: (author) => keepsEarlierUpdates(log.state(), author),
    judgeShown: certificates.judgeShown,
    shown: certificates.shown,
    heads: () => log.nextParents(),
    reportEquivocation: (first, second) => onEquivocation("announcement", first, second),
    onChange: (listener) => void changes.push(listener),
  };
}
