/**
 * What waits for signatures: requests of admission, and drafts of entries. A signature on a draft says that its admin
 * agrees to the statement. Whoever agrees last drafts the entry with the agreeing admins as signers, and these add their
 * signatures by themselves, because they have agreed to that very statement.
 */

import type { ContentId } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type AdmissionRequest,
  admissionStatement,
  fingerprintOf,
  judgeAdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "../../protocol/membership/admission.ts";
import {
  createEntry,
  decodeEntry,
  type Entry,
  type EntryId,
  encodeEntry,
  mergeSignatures,
  missingSigners,
  type Statement,
  signEntry,
  statementDigest,
  wrongSigner,
} from "../../protocol/membership/entry.ts";
import type { NoteKind, RosterNote } from "../../protocol/membership/roster-note.ts";
import { adminsOf, roleOf } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import type { RosterStore } from "./roster-store.ts";

export interface MotionDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  /** Members that are connected now: whose signatures come soon. */
  readonly present: () => readonly PeerId[];
  /** Tell the others; safe on this peer's disk already. */
  readonly publish: (note: RosterNote) => void;
  /** Two different statements of one author under one sequence, as bytes of entries. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

/** What is to be decided, and who has. */
export interface Motion {
  /** Names the statement, by which it is approved; the same at every peer. */
  readonly id: string;
  readonly statement: Statement;
  /** What the statement grants, where somebody asked for it by an invite. */
  readonly request:
    | (Pick<AdmissionRequest, "candidate" | "label" | "issuedAt"> & { readonly fingerprint: string })
    | undefined;
  readonly approvedBy: readonly PeerId[];
  readonly deniedBy: readonly PeerId[];
  /** Admins that have to agree in all. */
  readonly threshold: number;
}

/** What is said of a note: `news` is kept and passed on. */
export type NoteJudgement =
  | { readonly verdict: "accept"; readonly code: "NEWS" }
  | { readonly verdict: "ignore" | "reject"; readonly code: string };

export interface Motions {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  take(note: RosterNote): NoteJudgement;
  /** Notes for a neighbour: what is not decided yet. */
  notes(): readonly RosterNote[];
  pending(): readonly Motion[];
  /**
   * Agree to a statement and draft it. `cosigners` sign beside this peer, such as the new key of a rotation; `signers` are
   * asked to, when it is not left to who approves.
   * Throws: NodeError NOT_ALLOWED; ProtocolError FIELD_INVALID; STORE_FAILED.
   */
  propose(
    statement: Statement,
    options?: { readonly cosigners?: readonly Signer[]; readonly signers?: readonly PeerId[] },
  ): Promise<Motion>;
  /** Agree to what is pending.  Throws: NodeError NOT_ALLOWED. */
  approve(id: string): Promise<Motion>;
  /** Disagree with a request of admission, or forget what is drafted.  Throws: NodeError NOT_ALLOWED. */
  deny(id: string): Promise<Motion>;
  /** Whether enough admins have declined that too few are left to agree. */
  isDeclined(request: ContentId): boolean;
  /** Whether somebody waits for a decision about itself. */
  isCandidate(peer: PeerId): boolean;
  /** Look again at everything that waits; called when the roster, the time or who is present has changed. */
  settle(): Promise<void>;
  /** Wait for nothing any more; idempotent. */
  stop(): void;
}

/** A request that nobody decided in this time is forgotten. */
export const REQUEST_SECONDS_MAX = 14 * 86_400;
/** Pause between the turns of admins that could draft the same entry. */
export const TURN_MS = 2_000;
/** After this a draft whose signer does not answer is drafted anew with others. */
export const DRAFT_PATIENCE_MS = 30_000;
/** Drafts of one author that are kept. */
const DRAFTS_PER_AUTHOR_MAX = 32;

const NOTE_PREFIX = "roster/note/";
const AGREED_PREFIX = "roster/agreed/";
const SEQUENCE_KEY = "roster/sequence";
/** The note kinds that wait here. */
const WAITING = ["request", "draft", "denial"] as const satisfies readonly NoteKind[];
type WaitingKind = (typeof WAITING)[number];

const news: NoteJudgement = { verdict: "accept", code: "NEWS" };
const ignored = (code: string): NoteJudgement => ({ verdict: "ignore", code });
const rejected = (code: string): NoteJudgement => ({ verdict: "reject", code });

export function createMotions(dependencies: MotionDependencies): Motions {
  const { store, roster, signer, clock, logger, verify, present, publish } = dependencies;
  const { log } = roster;
  const requests = new Map<ContentId, { readonly request: AdmissionRequest; readonly bytes: Uint8Array }>();
  const drafts = new Map<EntryId, Entry>();
  const denials = new Map<ContentId, Map<PeerId, Uint8Array>>();
  const agreed = new Set<string>();
  /** When this peer first saw a statement, or last drafted it. */
  const since = new Map<string, number>();
  let sequence = 0;
  let cancelTimer: () => void = () => {};

  const now = (): number => Math.floor(clock.now() / 1000);
  const isAdmin = (peer: PeerId): boolean => roleOf(log.state(), peer, now()) === "admin";
  const noteCount = (): number =>
    requests.size + drafts.size + [...denials.values()].reduce((sum, all) => sum + all.size, 0);
  const keyOf = (kind: WaitingKind, name: string): string => `${NOTE_PREFIX}${kind}/${name}`;

  const statementOf = (request: AdmissionRequest): Statement => {
    const state = log.state();
    // The same at every admin: the time is that of the request.
    return admissionStatement(request, {
      state,
      nowSeconds: request.issuedAt,
      seconds: state.policy.certificateSeconds,
    });
  };
  const draftsOf = (id: string): readonly Entry[] =>
    [...drafts.values()].filter(({ statement }) => statementDigest(statement) === id);
  const approversOf = (id: string): readonly PeerId[] => {
    const peers = draftsOf(id).flatMap(({ signers, signatures }) =>
      signers.filter((_, i) => signatures[i]!.length > 0),
    );
    return [...new Set(peers)].filter(isAdmin).sort();
  };
  const denialsOf = (request: ContentId): readonly PeerId[] =>
    [...(denials.get(request)?.keys() ?? [])].filter(isAdmin);
  const requestFor = (id: string) =>
    [...requests.values()].find(({ request }) => statementDigest(statementOf(request)) === id);

  const motionOf = (id: string, statement: Statement): Motion => {
    const asked = requestFor(id)?.request;
    return {
      id,
      statement,
      request: asked && {
        candidate: asked.candidate,
        label: asked.label,
        issuedAt: asked.issuedAt,
        fingerprint: fingerprintOf(log.networkId, asked.candidate),
      },
      approvedBy: approversOf(id),
      deniedBy: asked === undefined ? [] : denialsOf(asked.id),
      threshold: log.state().policy.threshold,
    };
  };
  const statements = (): ReadonlyMap<string, Statement> => {
    const all = [...drafts.values()].map(({ statement }) => statement);
    for (const { request } of requests.values()) all.push(statementOf(request));
    return new Map(all.map((statement) => [statementDigest(statement), statement]));
  };
  const motion = (id: string): Motion => {
    const statement = statements().get(id);
    if (statement !== undefined) return motionOf(id, statement);
    throw new NodeError("NOT_ALLOWED", `nothing named ${id} waits for a decision; see weft members pending`, { id });
  };

  const judgeRequest = (bytes: Uint8Array) =>
    judgeAdmissionRequest(bytes, {
      state: log.state(),
      usesOf: (invite, subject) => log.usesOf(invite, subject),
      nowSeconds: now(),
      verify,
    });
  const keepRequest = (bytes: Uint8Array): NoteJudgement => {
    const judged = judgeRequest(bytes);
    if (!judged.isAccepted) {
      const isForged = ["MALFORMED", "SIGNATURE_INVALID", "PROOF_INVALID", "TICKET_INVALID"].includes(judged.code);
      return isForged ? rejected(judged.code) : ignored(judged.code);
    }
    const { request, needsPerson } = judged;
    if (requests.has(request.id)) return ignored("KNOWN");
    if (request.issuedAt < now() - REQUEST_SECONDS_MAX) return ignored("OLD");
    if (noteCount() >= LIMITS.rosterNoteCountMax) return ignored("FULL");
    // One candidate, one question: the newest one is answered.
    for (const [id, known] of requests) if (known.request.candidate === request.candidate) forgetRequest(id);
    requests.set(request.id, { request, bytes: bytes.slice() });
    keep("request", request.id, bytes);
    if (!needsPerson && isAdmin(signer.peer)) agree(statementDigest(statementOf(request)));
    return news;
  };

  const keepDraft = (bytes: Uint8Array): NoteJudgement => {
    const entry = decodeEntry(bytes);
    const { author, signers, signatures } = entry;
    if (entry.networkId !== log.networkId) return rejected("NETWORK_MISMATCH");
    if (entry.issuedAt > now() + LIMITS.clockSkewSeconds) return ignored("EARLY");
    const known = drafts.get(entry.id);
    const isNews =
      known === undefined || entry.signatures.some((one, i) => one.length > 0 && known.signatures[i]!.length === 0);
    if (!isNews || log.get(entry.id) !== undefined) return ignored("KNOWN");
    if (signatures[signers.indexOf(author)]!.length === 0) return rejected("UNSIGNED");
    const rotation = entry.statement.kind === "rotate" ? [entry.statement.replaces, entry.statement.subject] : [];
    if (signers.some((peer) => !isAdmin(peer) && !rotation.includes(peer))) return ignored("NOT_AN_ADMIN");
    if (wrongSigner(entry, verify) !== undefined) return rejected("SIGNATURE_INVALID");
    const twin = twinOf(entry);
    if (twin !== undefined) dependencies.onEquivocation(encodeEntry(twin), bytes);
    if (isDone(entry)) return ignored("DONE");
    const ofAuthor = [...drafts.values()].filter((other) => other.author === author).length;
    if (known === undefined && (ofAuthor >= DRAFTS_PER_AUTHOR_MAX || noteCount() >= LIMITS.rosterNoteCountMax)) {
      return ignored("FULL");
    }
    setDraft(known === undefined ? entry : mergeSignatures(known, entry));
    return news;
  };
  /** Another entry or draft of the author with the same number. */
  const twinOf = ({ id, author, sequence: number }: Entry): Entry | undefined =>
    [
      ...log.entriesBy(author, number),
      ...[...drafts.values()].filter((o) => o.author === author && o.sequence === number),
    ].find((other) => other.id !== id);

  const keepDenial = (bytes: Uint8Array): NoteJudgement => {
    const reply = readAdmissionReply(bytes, verify);
    if (reply.networkId !== log.networkId) return rejected("NETWORK_MISMATCH");
    if (reply.code !== "denied") return rejected("FIELD_INVALID");
    if (!isAdmin(reply.admin)) return ignored("NOT_AN_ADMIN");
    if (!requests.has(reply.request)) return ignored("REQUEST_UNKNOWN");
    const known = denials.get(reply.request) ?? new Map<PeerId, Uint8Array>();
    if (known.has(reply.admin)) return ignored("KNOWN");
    if (noteCount() >= LIMITS.rosterNoteCountMax) return ignored("FULL");
    denials.set(reply.request, known.set(reply.admin, bytes.slice()));
    keep("denial", `${reply.request}/${reply.admin}`, bytes);
    return news;
  };

  const save = (changes: readonly StoreChange[]): void => {
    // Told again by neighbours when it is lost.
    roster.save(changes).catch((error: unknown) => logger.warn("a note about the roster was not written", { error }));
  };
  const keep = (kind: WaitingKind, name: string, bytes: Uint8Array): void =>
    save([{ put: keyOf(kind, name), value: bytes }]);
  const setDraft = (entry: Entry): void => {
    drafts.set(entry.id, entry);
    keep("draft", entry.id, encodeEntry(entry));
  };
  const forgetDraft = (id: EntryId): void => {
    if (drafts.delete(id)) save([{ delete: keyOf("draft", id) }]);
  };
  const forgetRequest = (id: ContentId): void => {
    const answers = [...(denials.get(id)?.keys() ?? [])].map((admin) => ({
      delete: keyOf("denial", `${id}/${admin}`),
    }));
    denials.delete(id);
    if (requests.delete(id)) save([{ delete: keyOf("request", id) }, ...answers]);
  };
  const agree = (id: string): void => {
    agreed.add(id);
    save([{ put: AGREED_PREFIX + id, value: new Uint8Array(0) }]);
  };
  const disagree = (id: string): void => {
    if (agreed.delete(id)) save([{ delete: AGREED_PREFIX + id }]);
  };

  /** An entry that says the same entered, and the draft had not heard of it. */
  const isDone = (draft: Entry): boolean => {
    const id = statementDigest(draft.statement);
    const same = entered.get(id) ?? [];
    return same.some((name) => name === draft.id || !precedes(name, draft));
  };
  /** Names of entries by what they say. */
  const entered = new Map<string, EntryId[]>();
  const enter = (entry: Entry): void => {
    const id = statementDigest(entry.statement);
    entered.set(id, [...(entered.get(id) ?? []), entry.id]);
    // What was agreed to has happened; saying it again needs a new decision.
    disagree(id);
    since.delete(id);
  };
  const precedes = (name: EntryId, draft: Entry): boolean => {
    const seen = new Set<EntryId>();
    const open = [...draft.parents];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === name) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(log.get(next)?.parents ?? []));
    }
    return false;
  };

  const tidy = (): void => {
    for (const draft of [...drafts.values()]) {
      const isOld = draft.issuedAt < now() - REQUEST_SECONDS_MAX;
      if (isDone(draft) || isOld) forgetDraft(draft.id);
    }
    for (const [id, { bytes, request }] of [...requests]) {
      const isOld = request.issuedAt < now() - REQUEST_SECONDS_MAX;
      if (isOld || !judgeRequest(bytes).isAccepted) forgetRequest(id);
    }
  };

  /** Draft an entry for a statement that this peer agrees to, with its signature and those of `cosigners`. */
  const draft = async (
    statement: Statement,
    signers: readonly PeerId[],
    cosigners: readonly Signer[] = [],
  ): Promise<Entry> => {
    const number = Math.max(sequence, log.nextSequence(signer.peer));
    sequence = number + 1;
    // On disk before it is used: two entries with one number would be held against this peer for ever.
    await roster.save([{ put: SEQUENCE_KEY, value: new TextEncoder().encode(String(sequence)) }]);
    const unsigned = createEntry({
      networkId: log.networkId,
      parents: log.nextParents(),
      author: signer.peer,
      signers: [...new Set([...signers, signer.peer, ...cosigners.map(({ peer }) => peer)])],
      sequence: number,
      issuedAt: log.nextTime(now()),
      statement,
    });
    const entry = [signer, ...cosigners].reduce(signEntry, unsigned);
    since.set(statementDigest(statement), clock.now());
    await offer(entry);
    return entry;
  };
  /** A draft with a new signature of this peer's: into the roster when it is complete, else to the others. */
  const offer = async (entry: Entry): Promise<void> => {
    const body = encodeEntry(entry);
    if (missingSigners(entry).length > 0 || signersThatCount(entry) < log.state().policy.threshold) {
      setDraft(entry);
      await roster.written();
      publish({ kind: "draft", body });
      return;
    }
    const result = roster.add(body);
    if (result.outcome === "pending") {
      setDraft(entry);
      return;
    }
    forgetDraft(entry.id);
    if (result.outcome === "refused") {
      logger.warn("a signed entry does not enter the roster", { code: result.code, reason: result.text });
      return;
    }
    await roster.written();
    publish({ kind: "entry", body });
  };
  const signersThatCount = ({ signers }: Entry): number => signers.filter(isAdmin).length;

  /** How long to leave the drafting to others: admins take turns in the order of their ids. */
  const turnMs = (among: readonly PeerId[]): number => {
    const rank = [...among].sort().indexOf(signer.peer);
    return Math.max(0, rank) * TURN_MS;
  };

  /** One statement that this peer agrees to; resolves to the milliseconds until its turn, undefined for nothing to do. */
  const advance = async (id: string, statement: Statement): Promise<number | undefined> => {
    const { threshold } = log.state().policy;
    const all = draftsOf(id);
    for (const one of all) {
      const at = one.signers.indexOf(signer.peer);
      if (at >= 0 && one.signatures[at]!.length === 0) await offer(signEntry(one, signer));
    }
    if (statement.kind === "rotate") return undefined;
    const approvers = approversOf(id);
    const here = new Set(present());
    const first = since.get(id) ?? clock.now();
    since.set(id, first);
    const willing = approvers.filter((peer) => peer !== signer.peer);
    const soon = [...willing.filter((peer) => here.has(peer)), ...willing.filter((peer) => !here.has(peer))];
    const chosen = [signer.peer, ...soon].slice(0, threshold);
    const wait = (ms: number): number | undefined => (ms > 0 ? ms : undefined);
    if (!approvers.includes(signer.peer)) {
      const others = adminsOf(log.state(), now()).filter(
        (peer) => !approvers.includes(peer) && (here.has(peer) || peer === signer.peer),
      );
      const left = wait(first + turnMs(others) - clock.now());
      if (left === undefined) await draft(statement, chosen);
      return left;
    }
    if (chosen.length < threshold) return undefined;
    const completable = draftsOf(id).filter(
      ({ signers }) => signers.length >= threshold && signers.every((peer) => approvers.includes(peer)),
    );
    const isStuck = completable.every((one) =>
      missingSigners(one).some((peer) => peer !== signer.peer && !here.has(peer)),
    );
    if (completable.length > 0 && !(isStuck && chosen.every((peer) => peer === signer.peer || here.has(peer))))
      return undefined;
    const patience = completable.length > 0 ? DRAFT_PATIENCE_MS : 0;
    const left = wait(first + patience + turnMs(approvers) - clock.now());
    if (left === undefined && all.filter(({ author }) => author === signer.peer).length < DRAFTS_PER_AUTHOR_MAX / 4) {
      await draft(statement, chosen);
    }
    return left;
  };

  const settleNow = async (): Promise<void> => {
    tidy();
    // Complete ones first, whoever signed last.
    for (const one of [...drafts.values()]) {
      if (missingSigners(one).length === 0 && signersThatCount(one) >= log.state().policy.threshold) await offer(one);
    }
    if (!isAdmin(signer.peer)) return;
    let next: number | undefined;
    for (const [id, statement] of statements()) {
      if (!agreed.has(id)) continue;
      const left = await advance(id, statement);
      if (left !== undefined) next = Math.min(next ?? left, left);
    }
    cancelTimer();
    cancelTimer = next === undefined ? () => {} : clock.after(next, () => void settle());
  };
  // One at a time: a draft is signed before the next look at what is missing.
  let turn: Promise<void> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };
  let isStopped = false;
  const settle = async (): Promise<void> => {
    if (isStopped) return;
    await settleInTurn();
  };
  const settleInTurn = (): Promise<void> =>
    inTurn(settleNow).catch((error: unknown) => logger.warn("motions were not settled", { error }));

  const requireAdmin = (): void => {
    if (isAdmin(signer.peer)) return;
    throw new NodeError("NOT_ALLOWED", "only an admin of the network decides this; this peer is none", {
      peer: signer.peer,
    });
  };

  roster.onEntry(enter);
  return {
    async load() {
      for (const entry of log.entries()) {
        const id = statementDigest(entry.statement);
        entered.set(id, [...(entered.get(id) ?? []), entry.id]);
      }
      const stored = await store.get(SEQUENCE_KEY);
      sequence = Math.max(
        stored === undefined ? 0 : Number(new TextDecoder().decode(stored)),
        log.nextSequence(signer.peer),
      );
      for await (const [key] of store.entries(AGREED_PREFIX)) agreed.add(key.slice(AGREED_PREFIX.length));
      for (const kind of WAITING) {
        for await (const [key, body] of store.entries(`${NOTE_PREFIX}${kind}/`)) {
          const judged = takeNote({ kind, body });
          if (judged.verdict !== "accept") await store.batch([{ delete: key }]);
        }
      }
    },
    take: (note) => takeNote(note),
    notes: () => [
      ...[...requests.values()].map(({ bytes }) => ({ kind: "request" as const, body: bytes })),
      ...[...drafts.values()].map((entry) => ({ kind: "draft" as const, body: encodeEntry(entry) })),
      ...[...denials.values()].flatMap((all) => [...all.values()].map((body) => ({ kind: "denial" as const, body }))),
    ],
    pending: () => [...statements()].map(([id, statement]) => motionOf(id, statement)),
    propose: (statement, { cosigners = [], signers } = {}) =>
      inTurn(async () => {
        if (statement.kind !== "rotate") requireAdmin();
        const id = statementDigest(statement);
        agree(id);
        const willing = approversOf(id).filter((peer) => peer !== signer.peer);
        const chosen = signers ?? [signer.peer, ...willing].slice(0, log.state().policy.threshold);
        await draft(statement, chosen, cosigners);
        return motionOf(id, statement);
      }),
    async approve(id) {
      requireAdmin();
      const { statement } = motion(id);
      agree(id);
      since.set(id, clock.now() - TURN_MS * LIMITS.signatureCountMax);
      await settle();
      return motionOf(id, statement);
    },
    async deny(id) {
      requireAdmin();
      const { statement } = motion(id);
      disagree(id);
      const asked = requestFor(id)?.request;
      if (asked === undefined) {
        for (const one of draftsOf(id)) forgetDraft(one.id);
        return motionOf(id, statement);
      }
      const where = { networkId: log.networkId, request: asked.id };
      const body = signAdmissionReply({ code: "denied", reason: "DECLINED" }, where, signer);
      if (keepDenial(body).verdict === "accept") {
        await roster.written();
        publish({ kind: "denial", body });
      }
      return motionOf(id, statement);
    },
    isDeclined(request) {
      const admins = adminsOf(log.state(), now()).length;
      return denialsOf(request).length > admins - log.state().policy.threshold;
    },
    isCandidate: (peer) => [...requests.values()].some(({ request }) => request.candidate === peer),
    settle,
    stop() {
      isStopped = true;
      cancelTimer();
    },
  };

  function takeNote({ kind, body }: RosterNote): NoteJudgement {
    try {
      switch (kind) {
        case "request":
          return keepRequest(body);
        case "draft":
          return keepDraft(body);
        case "denial":
          return keepDenial(body);
        case "entry":
        case "proof":
          throw new TypeError(`${kind} does not wait for anything`);
      }
    } catch (error) {
      if (error instanceof ProtocolError) return rejected(error.code);
      throw error;
    }
  }
}
