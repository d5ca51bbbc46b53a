/** Notes that wait for a decision: requests of admission, answers that decline one, and drafts of entries; kept on disk. */
import type { ContentId } from "../../protocol/content-id.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type AdmissionRequest,
  admissionStatement,
  judgeAdmissionRequest,
  readAdmissionReply,
} from "../../protocol/membership/admission.ts";
import {
  decodeEntry,
  type Entry,
  type EntryId,
  encodeEntry,
  mergeSignatures,
  type Statement,
  statementDigest,
  wrongSigner,
} from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { NoteKind, RosterNote } from "../../protocol/membership/roster-note.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { ignored, type NoteJudgement, news, rejected } from "./note-judgement.ts";

export interface WaitingNotesDependencies {
  readonly store: Store;
  readonly log: RosterLog;
  readonly clock: Pick<Clock, "now">;
  readonly verify: VerifySignature;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
  readonly isAdmin: (peer: PeerId) => boolean;
  /** Whether what a draft says has entered the roster already. */
  readonly isDone: (draft: Entry) => boolean;
  /** A request is kept that admins may grant without asking anybody. */
  readonly onOpenRequest: (request: AdmissionRequest) => void;
  /** Two different statements of one author under one sequence, as bytes of entries. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

export interface WaitingNotes {
  /** What is on disk, looked at anew.  Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  take(note: RosterNote): NoteJudgement;
  /** All of them, for a neighbour. */
  notes(): readonly RosterNote[];
  requests(): readonly AdmissionRequest[];
  drafts(): readonly Entry[];
  /** Drafts of a statement, by its digest. */
  draftsOf(id: string): readonly Entry[];
  /** Admins that have signed a draft of a statement. */
  approversOf(id: string): readonly PeerId[];
  /** Admins that have declined a request. */
  deniersOf(request: ContentId): readonly PeerId[];
  setDraft(entry: Entry): void;
  forgetDraft(id: EntryId): void;
  /** Forget what has happened, what is refused by now, and what is too old. */
  tidy(): void;
}

/** A request that nobody decided in this time is forgotten. */
export const REQUEST_SECONDS_MAX = 14 * 86_400;
/** Drafts of one author that are kept. */
export const DRAFTS_PER_AUTHOR_MAX = 32;

const NOTE_PREFIX = "roster/note/";
/** The note kinds that wait here. */
const WAITING = ["request", "draft", "denial"] as const satisfies readonly NoteKind[];
type WaitingKind = (typeof WAITING)[number];
const keyOf = (kind: WaitingKind, name: string): string => `${NOTE_PREFIX}${kind}/${name}`;

/** What grants a request; the same at every admin, because the time is that of the request. */
export function statementFor(request: AdmissionRequest, log: RosterLog): Statement {
  const state = log.state();
  const seconds = state.policy.certificateSeconds;
  return admissionStatement(request, { state, nowSeconds: request.issuedAt, seconds });
}

export function createWaitingNotes(dependencies: WaitingNotesDependencies): WaitingNotes {
  const { store, log, clock, verify, save, isAdmin, isDone } = dependencies;
  const requests = new Map<ContentId, { readonly request: AdmissionRequest; readonly bytes: Uint8Array }>();
  const drafts = new Map<EntryId, Entry>();
  const denials = new Map<ContentId, Map<PeerId, Uint8Array>>();
  const now = (): number => Math.floor(clock.now() / 1000);
  const noteCount = (): number =>
    requests.size + drafts.size + [...denials.values()].reduce((sum, all) => sum + all.size, 0);
  const keep = (kind: WaitingKind, name: string, bytes: Uint8Array): void =>
    save([{ put: keyOf(kind, name), value: bytes }]);
  const draftsOf = (id: string): readonly Entry[] =>
    [...drafts.values()].filter(({ statement }) => statementDigest(statement) === id);
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
    if (!needsPerson) dependencies.onOpenRequest(request);
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

  const take = ({ kind, body }: RosterNote): NoteJudgement => {
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
  };

  return {
    async load() {
      for (const kind of WAITING) {
        for await (const [key, body] of store.entries(`${NOTE_PREFIX}${kind}/`)) {
          const judged = take({ kind, body });
          if (judged.verdict !== "accept") await store.batch([{ delete: key }]);
        }
      }
    },
    take,
    notes: () => [
      ...[...requests.values()].map(({ bytes }) => ({ kind: "request" as const, body: bytes })),
      ...[...drafts.values()].map((entry) => ({ kind: "draft" as const, body: encodeEntry(entry) })),
      ...[...denials.values()].flatMap((all) => [...all.values()].map((body) => ({ kind: "denial" as const, body }))),
    ],
    requests: () => [...requests.values()].map(({ request }) => request),
    drafts: () => [...drafts.values()],
    draftsOf,
    approversOf(id) {
      const peers = draftsOf(id).flatMap(({ signers, signatures }) =>
        signers.filter((_, i) => signatures[i]!.length > 0),
      );
      return [...new Set(peers)].filter(isAdmin).sort();
    },
    deniersOf: (request) => [...(denials.get(request)?.keys() ?? [])].filter(isAdmin),
    setDraft,
    forgetDraft,
    tidy() {
      for (const draft of [...drafts.values()]) {
        const isOld = draft.issuedAt < now() - REQUEST_SECONDS_MAX;
        if (isDone(draft) || isOld) forgetDraft(draft.id);
      }
      for (const [id, { bytes, request }] of [...requests]) {
        const isOld = request.issuedAt < now() - REQUEST_SECONDS_MAX;
        if (isOld || !judgeRequest(bytes).isAccepted) forgetRequest(id);
      }
    },
  };
}
