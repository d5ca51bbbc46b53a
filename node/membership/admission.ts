/**
 * Admission: who holds an invite fetches the genesis and asks for membership, before it is a member. Any member answers;
 * the request goes to the admins by gossip, and the answer says what has become of it so far.
 */

import { pipe } from "it-pipe";
import type { Signer } from "../../protocol/envelope.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type AdmissionAnswer,
  type AdmissionReply,
  type AdmissionRequest,
  judgeAdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "../../protocol/membership/admission.ts";
import { certificateOf } from "../../protocol/membership/certificate.ts";
import {
  canonicalGenesisBytes,
  type Genesis,
  genesisFromBytes,
  rosterIdOf,
} from "../../protocol/membership/genesis.ts";
import type { RosterNote } from "../../protocol/membership/roster-note.ts";
import { isMember as isMemberNow } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "../../protocol/network-id.ts";
import {
  canonicalManifestBytes,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
} from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { cut, oneFrame } from "../exchange/byte-pipeline.ts";
import { answerWithin, withStream } from "../exchange/deadline.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import type { AskRates } from "./ask-rates.ts";
import type { Motions } from "./motions.ts";
import type { RosterStore } from "./roster-store.ts";

export interface AdmissionDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly roster: RosterStore;
  readonly motions: Motions;
  readonly signer: Signer;
  readonly verify: VerifySignature;
  readonly publish: (note: RosterNote) => void;
  readonly isMember: (peer: PeerId) => boolean;
  /** Called when the roster has changed, until the returned function is called. */
  readonly onChange: (listener: () => void) => () => void;
}

export interface AdmissionOptions {
  readonly genesis: Genesis;
  readonly timeoutMs: number;
  /** How long an answer waits for a decision that may come at once. */
  readonly waitMs: number;
  /** Manifests that follow, by network id. */
  readonly manifestOf?: (network: NetworkId) => NetworkManifest | undefined;
  /** How often one member gets them. */
  readonly manifestRates?: AskRates;
}

/** Answer whoever asks; a stranger's connection is short, and comes seldom (visits.ts). */
export async function serveAdmission(
  dependencies: AdmissionDependencies,
  options: AdmissionOptions,
): Promise<{
  /** Whether somebody who sends these bytes holds an invite, or has been admitted by one. */
  mayKnow(request: Uint8Array): boolean;
}> {
  const { transport, clock, logger, roster, motions, signer, verify, publish, isMember, onChange } = dependencies;
  const { genesis, timeoutMs, waitMs, manifestOf, manifestRates } = options;
  const { log } = roster;
  const own = canonicalGenesisBytes(genesis);
  const now = (): number => Math.floor(clock.now() / 1000);
  const judge = (bytes: Uint8Array) =>
    judgeAdmissionRequest(bytes, {
      state: log.state(),
      usesOf: (invite, subject) => log.usesOf(invite, subject),
      nowSeconds: now(),
      verify,
    });
  const granted = ({ candidate }: AdmissionRequest): AdmissionAnswer | undefined => {
    const entry = isMemberNow(log.state(), candidate, now()) ? certificateOf(log, candidate) : undefined;
    return entry && { code: "admitted", entry };
  };
  const soon = (request: AdmissionRequest): Promise<AdmissionAnswer> =>
    new Promise((resolve) => {
      const look = (isLast: boolean): void => {
        const answer =
          granted(request) ??
          (motions.isDeclined(request.id) ? ({ code: "denied", reason: "DECLINED" } as const) : undefined);
        if (answer === undefined && !isLast) return;
        unlisten();
        cancel();
        resolve(answer ?? { code: "pending" });
      };
      const unlisten = onChange(() => look(false));
      const cancel = clock.after(waitMs, () => look(true));
      look(false);
    });
  /** The answer to a request; undefined to bytes that are none. */
  const answer = async (bytes: Uint8Array, from: PeerId): Promise<Uint8Array> => {
    const judged = judge(bytes);
    const { request } = judged;
    if (request === undefined) throw new NodeError("FRAME_INVALID", `${from} sent no request of admission`);
    const sign = (said: AdmissionAnswer): Uint8Array =>
      signAdmissionReply(said, { networkId: log.networkId, request: request.id }, signer);
    if (!judged.isAccepted) {
      return sign(
        (judged.code === "ALREADY_MEMBER" ? granted(request) : undefined) ?? { code: "denied", reason: judged.code },
      );
    }
    const note = { kind: "request", body: bytes } as const;
    if (motions.take(note).verdict === "accept") {
      logger.info("a peer asks to be admitted", { peer: request.candidate });
      // On disk before anybody is told that it is taken.
      await roster.written();
      publish(note);
    }
    void motions.settle();
    return sign(await soon(request));
  };
  const genesisFor = (bytes: Uint8Array, from: PeerId): Uint8Array => {
    if (bytes.length === networkIdToBytes(log.networkId).length) {
      if (!isMember(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for a manifest and is no member`);
      manifestRates?.count(from);
      const id = networkIdFromBytes(bytes);
      const found = id === networkId(genesis.manifest) ? genesis.manifest : manifestOf?.(id);
      return found === undefined ? new Uint8Array() : canonicalManifestBytes(found);
    }
    return mayKnow(bytes) ? own : new Uint8Array();
  };
  const mayKnow = (bytes: Uint8Array): boolean => {
    const judged = judge(bytes);
    return judged.isAccepted || judged.code === "ALREADY_MEMBER";
  };

  await transport.handle(STREAM_PROTOCOLS.admission, (stream, from) =>
    answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.admission }, async ({ source, sink }) => {
      const request = await pipe(source, oneFrame(LIMITS.admissionRequestBytesMax));
      await pipe([encodeFrame(await answer(request, from))], cut, sink);
    }),
  );
  await transport.handle(STREAM_PROTOCOLS.genesis, (stream, from) =>
    answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.genesis }, async ({ source, sink }) => {
      const request = await pipe(source, oneFrame(LIMITS.admissionRequestBytesMax));
      await pipe([encodeFrame(genesisFor(request, from))], cut, sink);
    }),
  );
  return { mayKnow };
}

export interface AdmissionCall {
  readonly peer: PeerId;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

type Caller = { readonly transport: Transport; readonly clock: Clock };

/**
 * The genesis of an invite's network from one of its members, verified: it is of the network that the invite names.
 * `request`: an AdmissionRequest by the invite, which shows that this peer holds it.
 * Throws: NodeError NOT_ALLOWED (the neighbour does not give it), STREAM_FAILED, TIMEOUT; ProtocolError.
 */
export async function fetchGenesis(
  caller: Caller,
  call: AdmissionCall,
  {
    request,
    network,
    verify,
  }: { readonly request: Uint8Array; readonly network: NetworkId; readonly verify: VerifySignature },
): Promise<Genesis> {
  const bytes = await askOne(caller, { ...call, protocol: STREAM_PROTOCOLS.genesis }, request, LIMITS.genesisBytesMax);
  if (bytes.length === 0) {
    const text = "the member does not give the manifest: it does not take this invite; ask its admin for another one";
    throw new NodeError("NOT_ALLOWED", text, { peer: call.peer });
  }
  const genesis = genesisFromBytes(bytes, verify);
  if (rosterIdOf(genesis.manifest) === network) return genesis;
  throw new NodeError("MANIFEST_MISMATCH", "the member sent the manifest of another network than the invite is for", {
    network,
  });
}

/**
 * A manifest of this roster from a neighbour, by its network id; undefined when the neighbour has none of that id.
 * Throws: NodeError STREAM_FAILED, TIMEOUT; ProtocolError.
 */
export async function fetchManifest(
  caller: Caller,
  call: AdmissionCall,
  network: NetworkId,
): Promise<NetworkManifest | undefined> {
  const request = networkIdToBytes(network);
  const bytes = await askOne(caller, { ...call, protocol: STREAM_PROTOCOLS.genesis }, request, LIMITS.manifestBytesMax);
  if (bytes.length === 0) return undefined;
  const manifest = manifestFromBytes(bytes);
  return networkId(manifest) === network ? manifest : undefined;
}

/**
 * Ask one member to be admitted. What it says of an admission proves itself only with the roster (10.6); a denial by
 * somebody who is no admin is a hint.
 * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function askForAdmission(
  caller: Caller,
  call: AdmissionCall,
  { request, verify }: { readonly request: Uint8Array; readonly verify: VerifySignature },
): Promise<AdmissionReply> {
  const bytes = await askOne(
    caller,
    { ...call, protocol: STREAM_PROTOCOLS.admission },
    request,
    LIMITS.admissionReplyBytesMax,
  );
  return readAdmissionReply(bytes, verify);
}

async function askOne(
  caller: Caller,
  call: AdmissionCall & { readonly protocol: StreamProtocol },
  message: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array> {
  return await withStream(caller, call, async ({ source, sink }) => {
    await pipe([encodeFrame(message)], cut, sink);
    return await pipe(source, oneFrame(bytesMax));
  });
}
