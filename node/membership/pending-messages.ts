/** Messages that wait for a decision: requests of admission, answers that decline one, drafts of entries; kept on disk. */
import { equalBytes } from "../../protocol/canonical-message.ts";
import type { ContentId } from "../../protocol/content-id.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type AdmissionJudgement,
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
import type { RosterMessage, RosterMessageKind } from "../../protocol/membership/roster-message.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { makeRoom, type Place } from "./fair-places.ts";
import { ignored, type MessageJudgement, news, rejected } from "./message-intake.ts";

/** What keeping them needs. */
export interface PendingMessageDependencies {
  readonly store: Store;
  readonly log: RosterLog;
  readonly clock: Pick<Clock, "now">;
  readonly verify: VerifySignature;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
  readonly isAdmin: (peer: PeerId) => boolean;
  /** By the roster, at this time. */
  readonly isMember: (peer: PeerId) => boolean;
  /** Whether this peer has declined a statement, by its digest. */
  readonly hasDeclined: (id: string) => boolean;
  /** A draft is from later than this clock shows, and put off. */
  readonly onEarly?: ((entry: Entry) => void) | undefined;
  /** A request is kept that admins may grant without asking anybody. */
  readonly onOpenRequest: (request: AdmissionRequest) => void;
  /** Two different statements of one author under one sequence, as bytes of entries. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

/** A request that nobody decided in this time is forgotten. */
export const REQUEST_SECONDS_MAX = 14 * 86_400;
/** Drafts of one admin that are kept. */
export const DRAFTS_PER_AUTHOR_MAX = 32;
/** Drafts of one member that gives its membership to another key: anew where signers do not answer. */
export const ROTATIONS_PER_MEMBER_MAX = 4;
/** Requests by one invite that are kept, beyond the peers that it may admit. */
export const REQUESTS_BEYOND_USES_MAX = 4;
/** Of all places, those for what admins sign; the others are for what members and holders of invites ask for. */
export const ADMIN_PLACES = LIMITS.rosterNoteCountMax / 2;
/** Of an admin's drafts, and of the admins' places, those that admissions and denials may take: the rest is for removals. */
export const ADMISSIONS_SHARE = 3 / 4;

const PENDING_PREFIX = "roster/note/";
/** The kinds that wait here. */
const WAITING = ["request", "draft", "denial"] as const satisfies readonly RosterMessageKind[];
type WaitingKind = (typeof WAITING)[number];
const keyOf = (kind: WaitingKind, name: string): string => `${PENDING_PREFIX}${kind}/${name}`;
/** Refusals of requests that nobody honest passes on. */
const FORGED: readonly string[] = ["MALFORMED", "SIGNATURE_INVALID", "PROOF_INVALID", "TICKET_INVALID"];

/** A request that waits. */
interface WaitingRequest {
  readonly request: AdmissionRequest;
  readonly bytes: Uint8Array;
}

/** A request that waits, and what would grant it. */
interface Grant {
  readonly request: AdmissionRequest;
  readonly statement: Statement;
}

/** What grants a request; the same at every admin, because the time is that of the request. */
export function statementFor(request: AdmissionRequest, log: RosterLog): Statement {
  const state = log.state();
  const seconds = state.policy.certificateSeconds;
  return admissionStatement(request, { state, nowSeconds: request.issuedAt, seconds });
}

/** Whether an admin may sign what somebody asks for, by what this roster knows now.  Throws: nothing. */
export function judgeRequest(
  bytes: Uint8Array,
  { log, clock, verify }: Pick<PendingMessageDependencies, "log" | "clock" | "verify">,
): AdmissionJudgement {
  return judgeAdmissionRequest(bytes, {
    state: log.state(),
    usesOf: (invite, subject) => log.usesOf(invite, subject),
    nowSeconds: Math.floor(clock.now() / 1000),
    verify,
  });
}

/** The table of what waits at one peer. */
export class PendingMessages {
  readonly #dependencies: PendingMessageDependencies;
  readonly #requests = new Map<ContentId, WaitingRequest>();
  /** With the digests of what they say. */
  readonly #drafts = new Map<EntryId, { readonly entry: Entry; readonly says: string }>();
  /** What would grant the requests, by the digest of the statement; digests are taken anew only when something has changed. */
  #grants: { readonly of: string; readonly all: ReadonlyMap<string, Grant> } = { of: "", all: new Map() };
  #requestChanges = 0;
  readonly #denials = new Map<ContentId, Map<PeerId, Uint8Array>>();
  /** Names of entries of the roster by what they say, so that a draft that says the same again is known to be done. */
  readonly #entered = new Map<string, EntryId[]>();

  constructor(dependencies: PendingMessageDependencies) {
    this.#dependencies = dependencies;
    for (const entry of dependencies.log.entries()) this.enter(entry);
  }

  /** Read what is on disk, and look at it anew.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store } = this.#dependencies;
    for (const kind of WAITING) {
      for await (const [key, body] of store.entries(`${PENDING_PREFIX}${kind}/`)) {
        const judged = this.take({ kind, body });
        if (judged.verdict !== "accept") await store.batch([{ delete: key }]);
      }
    }
  }

  /** Keep a request, a draft or a denial where it is news.  Throws: nothing of these kinds. */
  take({ kind, body }: RosterMessage): MessageJudgement {
    try {
      switch (kind) {
        case "request":
          return this.#takeRequest(body);
        case "draft":
          return this.#takeDraft(body);
        case "denial":
          return this.#takeDenial(body);
        case "entry":
        case "proof":
          throw new TypeError(`${kind} does not wait for anything`);
      }
    } catch (error) {
      if (error instanceof ProtocolError) return rejected(error.code);
      throw error;
    }
  }

  /** All of them, for a neighbour; removals and what else admins have signed come first, because a message ends somewhere. */
  messages(): readonly RosterMessage[] {
    const { isAdmin } = this.#dependencies;
    const rank = ({ statement, author }: Entry): number => (statement.kind === "revoke" ? 0 : isAdmin(author) ? 1 : 2);
    const drafts = [...this.drafts()].sort((a, b) => rank(a) - rank(b));
    const denials = [...this.#denials.values()].flatMap((all) => [...all.values()]);
    return [
      ...drafts.map((entry) => ({ kind: "draft" as const, body: encodeEntry(entry) })),
      ...[...this.#requests.values()].map(({ bytes }) => ({ kind: "request" as const, body: bytes })),
      ...denials.map((body) => ({ kind: "denial" as const, body })),
    ];
  }

  /** Requests of admission that nobody has decided. */
  requests(): readonly AdmissionRequest[] {
    return [...this.#requests.values()].map(({ request }) => request);
  }

  /** What waits for a decision, by the digest of the statement. */
  statements(): ReadonlyMap<string, Statement> {
    const ofDrafts = [...this.#drafts.values()].map(({ says, entry }) => [says, entry.statement] as const);
    const ofRequests = [...this.#allGrants()].map(([says, { statement }]) => [says, statement] as const);
    return new Map([...ofDrafts, ...ofRequests]);
  }

  /** The request that a statement would grant, by its digest. */
  requestFor(id: string): AdmissionRequest | undefined {
    return this.#allGrants().get(id)?.request;
  }

  /** Entries that wait for signatures. */
  drafts(): readonly Entry[] {
    return [...this.#drafts.values()].map(({ entry }) => entry);
  }

  /** Drafts of a statement, by its digest. */
  draftsOf(id: string): readonly Entry[] {
    return [...this.#drafts.values()].filter(({ says }) => says === id).map(({ entry }) => entry);
  }

  /** Admins that have signed a draft of a statement, rising. */
  approversOf(id: string): readonly PeerId[] {
    const { isAdmin } = this.#dependencies;
    const peers = this.draftsOf(id).flatMap(({ signers, signatures }) =>
      signers.filter((_, i) => signatures[i]!.length > 0),
    );
    return [...new Set(peers)].filter(isAdmin).sort();
  }

  /** Admins that have declined a request. */
  deniersOf(request: ContentId): readonly PeerId[] {
    return [...(this.#denials.get(request)?.keys() ?? [])].filter(this.#dependencies.isAdmin);
  }

  /** Keep a draft of this peer's own, or one that it has signed. */
  setDraft(entry: Entry): void {
    this.#drafts.set(entry.id, { entry, says: statementDigest(entry.statement) });
    this.#keep("draft", entry.id, encodeEntry(entry));
  }

  /** Keep a draft no longer. */
  forgetDraft(id: EntryId): void {
    if (this.#drafts.delete(id)) this.#dependencies.save([{ delete: keyOf("draft", id) }]);
  }

  /** An entry entered the roster: drafts that say the same are done. */
  enter(entry: Entry): void {
    const id = statementDigest(entry.statement);
    this.#entered.set(id, [...(this.#entered.get(id) ?? []), entry.id]);
    for (const draft of this.draftsOf(id)) if (this.#isDone(draft)) this.forgetDraft(draft.id);
  }

  /** Forget what has happened, what is refused by now, and what is too old. */
  tidy(): void {
    const oldest = this.#now() - REQUEST_SECONDS_MAX;
    for (const draft of this.drafts()) {
      if (this.#isDone(draft) || draft.issuedAt < oldest) this.forgetDraft(draft.id);
    }
    for (const [id, { bytes, request }] of [...this.#requests]) {
      // Its signatures were looked at when it came.
      const judged = judgeRequest(bytes, { ...this.#dependencies, verify: () => true });
      if (request.issuedAt < oldest || !judged.isAccepted) this.#forgetRequest(id);
    }
  }

  #takeRequest(bytes: Uint8Array): MessageJudgement {
    const judged = judgeRequest(bytes, this.#dependencies);
    if (!judged.isAccepted) return FORGED.includes(judged.code) ? rejected(judged.code) : ignored(judged.code);
    const { request, needsPerson } = judged;
    if (this.#requests.has(request.id)) return ignored("KNOWN");
    if (request.issuedAt < this.#now() - REQUEST_SECONDS_MAX) return ignored("OLD");
    // One candidate, one question: the newest one is answered.
    for (const [id, known] of this.#requests) {
      if (known.request.candidate === request.candidate) this.#forgetRequest(id);
    }
    const { key, uses, issuer } = request.ticket;
    const ofInvite = this.requests().filter(({ ticket }) => ticket.key === key).length;
    if (ofInvite >= uses + REQUESTS_BEYOND_USES_MAX) return ignored("FULL");
    if (!makeRoom(this.#places(), issuer, LIMITS.rosterNoteCountMax - ADMIN_PLACES)) return ignored("FULL");
    this.#requests.set(request.id, { request, bytes: bytes.slice() });
    this.#requestChanges++;
    this.#keep("request", request.id, bytes);
    if (!needsPerson) this.#dependencies.onOpenRequest(request);
    return news;
  }

  #takeDraft(bytes: Uint8Array): MessageJudgement {
    const { log, verify, onEquivocation } = this.#dependencies;
    const entry = decodeEntry(bytes);
    const { author, signers, signatures } = entry;
    if (entry.networkId !== log.networkId) return rejected("NETWORK_MISMATCH");
    if (entry.issuedAt > this.#now() + LIMITS.clockSkewSeconds) {
      this.#dependencies.onEarly?.(entry);
      return ignored("EARLY");
    }
    const known = this.#drafts.get(entry.id)?.entry;
    const isNews =
      known === undefined || entry.signatures.some((one, i) => one.length > 0 && known.signatures[i]!.length === 0);
    if (!isNews || log.get(entry.id) !== undefined) return ignored("KNOWN");
    if (signatures[signers.indexOf(author)]!.length === 0) return rejected("UNSIGNED");
    if (!this.#maySign(entry)) return ignored("NOT_AN_ADMIN");
    if (wrongSigner(withoutKnown(entry, known), verify) !== undefined) return rejected("SIGNATURE_INVALID");
    const twin = this.#twinOf(entry);
    if (twin !== undefined) onEquivocation(encodeEntry(twin), bytes);
    if (this.#isDone(entry)) return ignored("DONE");
    if (known === undefined && !this.#hasRoomFor(entry)) return ignored("FULL");
    this.setDraft(known === undefined ? entry : mergeSignatures(known, entry));
    return news;
  }

  /** Whether a draft is an admin's, or that of a member which gives its membership away, with no strangers among its signers. */
  #maySign({ author, signers, statement }: Entry): boolean {
    const { isAdmin, isMember } = this.#dependencies;
    const rotation = statement.kind === "rotate" ? [statement.replaces, statement.subject] : [];
    const isOwn = statement.kind === "rotate" && author === statement.replaces && isMember(author);
    return (isAdmin(author) || isOwn) && signers.every((peer) => isAdmin(peer) || rotation.includes(peer));
  }

  #hasRoomFor({ author, statement }: Entry): boolean {
    const own = this.drafts().filter((other) => other.author === author).length;
    if (!this.#dependencies.isAdmin(author)) {
      const placesMax = LIMITS.rosterNoteCountMax - ADMIN_PLACES;
      return own < ROTATIONS_PER_MEMBER_MAX && makeRoom(this.#places(), author, placesMax);
    }
    // Admissions that wait are no reason why a removal would not be heard.
    if (!isGrowth(statement)) return own < DRAFTS_PER_AUTHOR_MAX && this.#makeAdminRoom(author, "all");
    return own < ADMISSIONS_SHARE * DRAFTS_PER_AUTHOR_MAX && this.#makeAdminRoom(author, "admissions");
  }

  #makeAdminRoom(author: PeerId, places: "all" | "admissions"): boolean {
    const [denials, drafts] = [this.#denialPlaces(), this.#draftPlaces(true)];
    if (places === "all") return makeRoom([...denials, ...drafts], author, ADMIN_PLACES);
    const admissions = drafts.filter(({ isAdmission }) => isAdmission);
    return makeRoom([...denials, ...admissions], author, ADMISSIONS_SHARE * ADMIN_PLACES);
  }

  #takeDenial(bytes: Uint8Array): MessageJudgement {
    const { log, verify, isAdmin } = this.#dependencies;
    const reply = readAdmissionReply(bytes, verify);
    if (reply.networkId !== log.networkId) return rejected("NETWORK_MISMATCH");
    if (reply.code !== "denied") return rejected("FIELD_INVALID");
    if (!isAdmin(reply.admin)) return ignored("NOT_AN_ADMIN");
    if (!this.#requests.has(reply.request)) return ignored("REQUEST_UNKNOWN");
    const known = this.#denials.get(reply.request) ?? new Map<PeerId, Uint8Array>();
    if (known.has(reply.admin)) return ignored("KNOWN");
    if (!this.#makeAdminRoom(reply.admin, "admissions")) return ignored("FULL");
    this.#denials.set(reply.request, known.set(reply.admin, bytes.slice()));
    this.#keep("denial", `${reply.request}/${reply.admin}`, bytes);
    return news;
  }

  #allGrants(): ReadonlyMap<string, Grant> {
    const { log } = this.#dependencies;
    const of = `${log.state().policy.certificateSeconds} ${this.#requestChanges}`;
    if (this.#grants.of !== of) {
      const grants = this.requests().map((request) => ({ request, statement: statementFor(request, log) }));
      this.#grants = { of, all: new Map(grants.map((grant) => [statementDigest(grant.statement), grant])) };
    }
    return this.#grants.all;
  }

  /** Another entry or draft of the author with the same number. */
  #twinOf({ id, author, sequence }: Entry): Entry | undefined {
    const drafts = this.drafts().filter((other) => other.author === author && other.sequence === sequence);
    return [...this.#dependencies.log.entriesBy(author, sequence), ...drafts].find((other) => other.id !== id);
  }

  /** Whether an entry that says the same entered, and the draft had not heard of it. */
  #isDone(draft: Entry): boolean {
    const same = this.#entered.get(statementDigest(draft.statement)) ?? [];
    return same.some((name) => name === draft.id || !this.#precedes(name, draft));
  }

  #precedes(name: EntryId, draft: Entry): boolean {
    const seen = new Set<EntryId>();
    const open = [...draft.parents];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === name) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(this.#dependencies.log.get(next)?.parents ?? []));
    }
    return false;
  }

  #forgetRequest(id: ContentId): void {
    const answers = [...(this.#denials.get(id)?.keys() ?? [])].map((admin) => ({
      delete: keyOf("denial", `${id}/${admin}`),
    }));
    this.#denials.delete(id);
    this.#requestChanges++;
    if (this.#requests.delete(id)) this.#dependencies.save([{ delete: keyOf("request", id) }, ...answers]);
  }

  #keep(kind: WaitingKind, name: string, bytes: Uint8Array): void {
    this.#dependencies.save([{ put: keyOf(kind, name), value: bytes }]);
  }

  /** What members and holders of invites ask for. */
  #places(): readonly Place[] {
    const { hasDeclined } = this.#dependencies;
    const requests = [...this.#allGrants()].map(([says, { request }]) => ({
      origin: request.ticket.issuer,
      isDeclined: hasDeclined(says),
      forget: () => this.#forgetRequest(request.id),
    }));
    return [...requests, ...this.#draftPlaces(false)];
  }

  #denialPlaces(): readonly Place[] {
    return [...this.#denials].flatMap(([request, all]) =>
      [...all.keys()].map((admin) => ({
        origin: admin,
        isDeclined: false,
        forget: () => this.#forgetDenial(request, admin),
      })),
    );
  }

  #draftPlaces(ofAdmins: boolean): readonly (Place & { readonly isAdmission: boolean })[] {
    const { isAdmin, hasDeclined } = this.#dependencies;
    return [...this.#drafts.values()]
      .filter(({ entry }) => isAdmin(entry.author) === ofAdmins)
      .map(({ entry, says }) => ({
        origin: entry.author,
        isDeclined: hasDeclined(says),
        isAdmission: isGrowth(entry.statement),
        forget: () => this.forgetDraft(entry.id),
      }));
  }

  #forgetDenial(request: ContentId, admin: PeerId): void {
    if (this.#denials.get(request)?.delete(admin)) {
      this.#dependencies.save([{ delete: keyOf("denial", `${request}/${admin}`) }]);
    }
  }

  #now(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}

/** What a roster has no room for first (10.4, FULL). */
const isGrowth = ({ kind }: Statement): boolean => kind === "admit" || kind === "promote";

/** An entry with those signatures only that are not in a draft whose signatures were verified. */
function withoutKnown(entry: Entry, known: Entry | undefined): Entry {
  if (known === undefined) return entry;
  const isKnown = (one: Uint8Array, i: number): boolean => equalBytes(one, known.signatures[i] ?? NOTHING);
  return { ...entry, signatures: entry.signatures.map((one, i) => (isKnown(one, i) ? NOTHING : one)) };
}

const NOTHING = new Uint8Array(0);
