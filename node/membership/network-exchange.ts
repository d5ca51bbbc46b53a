/**
 * What a network is and how it has gone on. Over `/weft/genesis/1` whoever holds an invite gets the genesis, and members get
 * the manifests that follow. Over `/weft/successors/1` whoever holds an invite learns which manifests the network has gone
 * through and under which it is now, before it is a member: so that it can look for the right model before it asks for
 * anything. What it is told proves itself only with the roster, which it gets with its admission.
 */
import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  canonicalGenesisBytes,
  type Genesis,
  genesisFromBytes,
  rosterIdOf,
} from "../../protocol/membership/genesis.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import { successionStatement } from "../../protocol/membership/succession.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "../../protocol/network-id.ts";
import {
  canonicalManifestBytes,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
} from "../../protocol/network-manifest.ts";
import { GENESIS_PROTOCOL, SUCCESSORS_PROTOCOL } from "../../protocol/topic.ts";
import { NodeError } from "../errors.ts";
import { cut, frames, oneFrame } from "../exchange/byte-pipeline.ts";
import { answerWithin, withStream } from "../exchange/deadline.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { PeerIdText, Transport } from "../interface/transport.ts";
import type { AdmissionCall, AdmissionCaller } from "./admission.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import { judgeRequest } from "./pending-messages.ts";

/** The way of a network, as one member tells it. */
export interface SuccessorStory {
  /** From the genesis' manifest on, each the successor of the one before. */
  readonly manifests: readonly NetworkManifest[];
  /** Place among them of the one that the member itself is in. */
  readonly current: number;
}

/** What answering questions about the network needs. */
export interface NetworkExchangeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: RosterLog;
  readonly verify: VerifySignature;
  readonly genesis: Genesis;
  readonly isMember: (peer: PeerIdText) => boolean;
  /** Manifests that follow, by network id. */
  readonly manifestOf: (network: NetworkId) => NetworkManifest | undefined;
  /** The manifests that the network has gone through, and the one of them that this peer is in. */
  readonly story: () => { readonly manifests: readonly NetworkManifest[]; readonly network: NetworkId };
}

type NetworkExchangeLimits = Pick<
  MembershipLimits,
  "admissionTimeoutMs" | "manifestsPerWindowMax" | "storiesPerWindowMax" | "pullWindowMs" | "visitsRememberedMax"
>;

/** The conversations about the network, at one member; who shows nothing gets an empty message. */
export class NetworkExchange {
  readonly #dependencies: NetworkExchangeDependencies;
  readonly #timeoutMs: number;
  readonly #genesisBytes: Uint8Array;
  readonly #manifestRates: RateLimiter;
  readonly #storyRates: RateLimiter;

  constructor(dependencies: NetworkExchangeDependencies, limits: NetworkExchangeLimits) {
    this.#dependencies = dependencies;
    this.#timeoutMs = limits.admissionTimeoutMs;
    this.#genesisBytes = canonicalGenesisBytes(dependencies.genesis);
    const rates = (max: number): RateLimiter =>
      new RateLimiter(dependencies, {
        burst: max,
        perPeriod: max,
        periodMs: limits.pullWindowMs,
        peersMax: limits.visitsRememberedMax,
      });
    this.#manifestRates = rates(limits.manifestsPerWindowMax);
    this.#storyRates = rates(limits.storiesPerWindowMax);
  }

  /** Answer whoever asks. */
  async start(): Promise<void> {
    await this.#handle(GENESIS_PROTOCOL, (request, from) => [this.#genesisFor(request, from)]);
    await this.#handle(
      SUCCESSORS_PROTOCOL,
      (request) => this.#storyFor(request),
      (from) => this.#storyRates.require(from, "successors"),
    );
  }

  async #handle(
    protocol: string,
    answer: (request: Uint8Array, from: PeerIdText) => readonly Uint8Array[],
    before: (from: PeerIdText) => void = () => {},
  ): Promise<void> {
    const { transport, clock } = this.#dependencies;
    await transport.handle(protocol, (stream, from) =>
      answerWithin(clock, { stream, timeoutMs: this.#timeoutMs, protocol }, async ({ source, sink }) => {
        before(from);
        const request = await pipe(source, oneFrame(LIMITS.admissionRequestBytesMax));
        await pipe(answer(request, from).map(encodeFrame), cut, sink);
      }),
    );
  }

  /** To who names a network id its manifest, to who shows an invite the genesis. */
  #genesisFor(request: Uint8Array, from: PeerIdText): Uint8Array {
    const { log, genesis, isMember, manifestOf } = this.#dependencies;
    if (request.length === networkIdToBytes(log.networkId).length) {
      if (!isMember(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for a manifest and is no member`);
      this.#manifestRates.require(from, "manifests");
      const id = networkIdFromBytes(request);
      const found = id === networkId(genesis.manifest) ? genesis.manifest : manifestOf(id);
      return found === undefined ? new Uint8Array() : canonicalManifestBytes(found);
    }
    return this.#mayKnow(request) ? this.#genesisBytes : new Uint8Array();
  }

  #storyFor(request: Uint8Array): readonly Uint8Array[] {
    if (!this.#mayKnow(request)) return [new Uint8Array()];
    const { manifests, network } = this.#dependencies.story();
    // The first one is the genesis', which is asked for by itself.
    return [networkIdToBytes(network), ...manifests.slice(1).map(canonicalManifestBytes)];
  }

  /** Whether somebody who sends these bytes holds an invite, or has been admitted by one. */
  #mayKnow(request: Uint8Array): boolean {
    const judged = judgeRequest(request, this.#dependencies);
    return judged.isAccepted || judged.code === "ALREADY_MEMBER";
  }
}

/**
 * The genesis of an invite's network from one of its members, verified: it is of the network that the invite names.
 * `request`: an AdmissionRequest by the invite, which shows that this peer holds it.
 * Throws: NodeError NOT_ALLOWED (the neighbour does not give it), STREAM_FAILED, TIMEOUT; ProtocolError.
 */
export async function fetchGenesis(
  caller: AdmissionCaller,
  call: AdmissionCall,
  {
    request,
    network,
    verify,
  }: { readonly request: Uint8Array; readonly network: NetworkId; readonly verify: VerifySignature },
): Promise<Genesis> {
  const bytes = await askGenesis(caller, call, { message: request, bytesMax: LIMITS.genesisBytesMax });
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
  caller: AdmissionCaller,
  call: AdmissionCall,
  network: NetworkId,
): Promise<NetworkManifest | undefined> {
  const message = networkIdToBytes(network);
  const bytes = await askGenesis(caller, call, { message, bytesMax: LIMITS.manifestBytesMax });
  if (bytes.length === 0) return undefined;
  const manifest = manifestFromBytes(bytes);
  return networkId(manifest) === network ? manifest : undefined;
}

async function askGenesis(
  caller: AdmissionCaller,
  call: AdmissionCall,
  { message, bytesMax }: { readonly message: Uint8Array; readonly bytesMax: number },
): Promise<Uint8Array> {
  return await withStream(caller, { ...call, protocol: GENESIS_PROTOCOL }, async ({ source, sink }) => {
    await pipe([encodeFrame(message)], cut, sink);
    return await pipe(source, oneFrame(bytesMax));
  });
}

/**
 * Ask one member how the network of this manifest has gone on.
 * Throws: NodeError NOT_ALLOWED (it does not say), MANIFEST_MISMATCH (what it says does not fit together), STREAM_FAILED,
 * TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function fetchSuccessors(
  caller: AdmissionCaller,
  call: AdmissionCall,
  { request, first }: { readonly request: Uint8Array; readonly first: NetworkManifest },
): Promise<SuccessorStory> {
  return await withStream(caller, { ...call, protocol: SUCCESSORS_PROTOCOL }, async ({ source, sink }) => {
    await pipe([encodeFrame(request)], cut, sink);
    let network: NetworkId | undefined;
    const manifests = [first];
    const bounds = { bytesMax: LIMITS.manifestBytesMax, countMax: 1 + LIMITS.successionCountMax };
    for await (const message of frames(source, bounds)) {
      if (message.length === 0) throw refused(call.peer);
      if (network === undefined) {
        network = networkIdFromBytes(message);
        continue;
      }
      const manifest = manifestFromBytes(message);
      successionStatement(manifests.at(-1) ?? first, manifest);
      manifests.push(manifest);
    }
    const current = manifests.findIndex((manifest) => networkId(manifest) === network);
    if (current >= 0) return { manifests, current };
    const text = `${call.peer} is in a network that the invite's does not lead to; ask another member`;
    throw new NodeError("MANIFEST_MISMATCH", text, { peer: call.peer });
  });
}

const refused = (peer: PeerIdText): NodeError =>
  new NodeError("NOT_ALLOWED", "the member does not say how the network has gone on: it does not take this invite", {
    peer,
  });
