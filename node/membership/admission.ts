/**
 * Admission over `/weft/admission/1`: who holds an invite asks for membership, before it is a member. Any member answers; the
 * request goes to the admins by gossip, and the answer says what has become of it so far.
 */
import type { Signer } from "../../protocol/envelope.ts";
import {
  type AdmissionAnswer,
  type AdmissionReply,
  type AdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "../../protocol/membership/admission.ts";
import { certificateOf } from "../../protocol/membership/certificate.ts";
import type { RosterMessage } from "../../protocol/membership/roster-message.ts";
import { isMember as isMemberNow } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { answer, ask } from "../exchange/conversation.ts";
import { answerWithin } from "../exchange/deadline.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import { judgeRequest } from "./pending-messages.ts";
import type { Proposals } from "./proposals.ts";
import type { RosterStore } from "./roster-store.ts";

/** What answering requests needs. */
export interface AdmissionDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly roster: RosterStore;
  readonly proposals: Proposals;
  readonly signer: Signer;
  readonly verify: VerifySignature;
  readonly publish: (message: RosterMessage) => void;
  /** A peer has shown an invite, by its key, by which it may be admitted itself. */
  readonly onShown: (peer: PeerId, invite: string) => void;
  /** A peer is about to be told what has become of its request. */
  readonly onAnswered: (peer: PeerId) => void;
}

/** What answering requests may cost. */
type AdmissionLimits = Pick<
  MembershipLimits,
  "admissionTimeoutMs" | "admissionWaitMs" | "requestsPerWindowMax" | "pullWindowMs" | "visitsRememberedMax"
>;

/** The conversation about admission, at one member. A stranger's connection is short, and comes seldom (visits.ts). */
export class AdmissionExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.admission;
  readonly #dependencies: AdmissionDependencies;
  readonly #limits: AdmissionLimits;
  readonly #rates: RateLimiter;
  /** Answers that wait for a decision look again when the roster has changed. */
  readonly #waiting = new Set<{ look(): void; end(): void }>();

  constructor(dependencies: AdmissionDependencies, limits: AdmissionLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const { requestsPerWindowMax: max, pullWindowMs: periodMs, visitsRememberedMax: peersMax } = limits;
    this.#rates = new RateLimiter(dependencies, { burst: max, perPeriod: max, periodMs, peersMax });
  }

  /** Answer whoever asks. */
  async start(): Promise<void> {
    const { transport, clock } = this.#dependencies;
    const [protocol, timeoutMs] = [this.protocol, this.#limits.admissionTimeoutMs];
    await transport.handle(protocol, (stream, from) =>
      answerWithin(clock, { stream, timeoutMs, protocol }, (opened) =>
        answer(opened, protocol, (request) => this.#answer(request, from)),
      ),
    );
  }

  /** Answers that wait say what is known; idempotent. */
  async stop(): Promise<void> {
    for (const wait of [...this.#waiting]) wait.end();
  }

  /** The roster has changed: answers that wait may be known now. */
  review(): void {
    for (const wait of [...this.#waiting]) wait.look();
  }

  /** The answer to a request.  Throws: NodeError FRAME_INVALID of bytes that are none, TOO_OFTEN. */
  async #answer(bytes: Uint8Array, from: PeerId): Promise<Uint8Array> {
    const { roster, clock, verify, signer, proposals, onShown, onAnswered } = this.#dependencies;
    // Each costs three signatures to verify and one to make.
    this.#rates.require(from, "admission");
    const judged = judgeRequest(bytes, { log: roster.log, clock, verify });
    const { request } = judged;
    if (request === undefined) throw new NodeError("FRAME_INVALID", `${from} sent no request of admission`);
    const sign = (said: AdmissionAnswer): Uint8Array =>
      signAdmissionReply(said, { networkId: roster.log.networkId, request: request.id }, signer);
    if (!judged.isAccepted) {
      const granted = judged.code === "ALREADY_MEMBER" ? this.#granted(request) : undefined;
      return sign(granted ?? { code: "denied", reason: judged.code });
    }
    if (request.candidate === from) onShown(from, request.ticket.key);
    await this.#take(request, bytes);
    void proposals.settle();
    const answered = await this.#answerSoon(request);
    onAnswered(from);
    return sign(answered);
  }

  async #take({ candidate }: AdmissionRequest, body: Uint8Array): Promise<void> {
    const { roster, logger, proposals, publish } = this.#dependencies;
    const message = { kind: "request", body } as const;
    if (proposals.take(message).verdict !== "accept") return;
    logger.info("a peer asks to be admitted", { peer: candidate });
    // On disk before anybody is told that it is taken.
    await roster.written();
    publish(message);
  }

  #granted({ candidate }: AdmissionRequest): AdmissionAnswer | undefined {
    const { roster, clock } = this.#dependencies;
    const isMember = isMemberNow(roster.log.state(), candidate, Math.floor(clock.now() / 1000));
    const entry = isMember ? certificateOf(roster.log, candidate) : undefined;
    return entry && { code: "admitted", entry };
  }

  /** A decision may come at once; the answer waits for it so long. */
  #answerSoon(request: AdmissionRequest): Promise<AdmissionAnswer> {
    const { clock, proposals } = this.#dependencies;
    const declined = { code: "denied", reason: "DECLINED" } as const;
    const decision = (): AdmissionAnswer | undefined =>
      this.#granted(request) ?? (proposals.isDeclined(request.id) ? declined : undefined);
    const decided = decision();
    if (decided !== undefined) return Promise.resolve(decided);
    return new Promise((resolve) => {
      const end = (answer: AdmissionAnswer): void => {
        this.#waiting.delete(wait);
        cancel();
        resolve(answer);
      };
      const wait = {
        look(): void {
          const answer = decision();
          if (answer !== undefined) end(answer);
        },
        end: () => end(decision() ?? { code: "pending" }),
      };
      const cancel = clock.after(this.#limits.admissionWaitMs, wait.end);
      this.#waiting.add(wait);
    });
  }
}

/** One question to one member. */
export interface AdmissionCall {
  readonly peer: PeerId;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Who asks. */
export interface AdmissionCaller {
  readonly transport: Transport;
  readonly clock: Clock;
}

/**
 * Ask one member to be admitted. What it says of an admission proves itself only with the roster (10.6); a denial by
 * somebody who is no admin is a hint.
 * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function askForAdmission(
  caller: AdmissionCaller,
  call: AdmissionCall,
  { request, verify }: { readonly request: Uint8Array; readonly verify: VerifySignature },
): Promise<AdmissionReply> {
  const bytes = await ask(caller, { ...call, protocol: STREAM_PROTOCOLS.admission }, request);
  return readAdmissionReply(bytes, verify);
}
