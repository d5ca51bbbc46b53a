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
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { cut, frames, oneFrame } from "../exchange/byte-pipeline.ts";
import { answer, ask } from "../exchange/conversation.ts";
import { answerWithin, withStream } from "../exchange/deadline.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { Transport } from "../interface/transport.ts";
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

/** What answering a peer that shows an invite needs. */
interface InviteDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: RosterLog;
  readonly verify: VerifySignature;
  /** A peer has shown an invite, by its key, by which it may be admitted itself. */
  readonly onShown: (peer: PeerId, invite: string) => void;
}

type NetworkLimits = Pick<MembershipLimits, "admissionTimeoutMs" | "pullWindowMs" | "visitsRememberedMax">;

/** Whether somebody who sends these bytes holds an invite, or has been admitted by one. */
function mayKnow(request: Uint8Array, from: PeerId, dependencies: InviteDependencies): boolean {
  const judged = judgeRequest(request, dependencies);
  if (judged.isAccepted && judged.request.candidate === from) dependencies.onShown(from, judged.request.ticket.key);
  return judged.isAccepted || judged.code === "ALREADY_MEMBER";
}

/** So many questions of one kind within the window for each peer. */
function ratesOf(max: number, { clock }: InviteDependencies, limits: NetworkLimits): RateLimiter {
  const { pullWindowMs: periodMs, visitsRememberedMax: peersMax } = limits;
  return new RateLimiter({ clock }, { burst: max, perPeriod: max, periodMs, peersMax });
}

/** What giving out the genesis and manifests needs. */
export interface GenesisExchangeDependencies extends InviteDependencies {
  readonly genesis: Genesis;
  readonly isMember: (peer: PeerId) => boolean;
  /** Manifests that follow, by network id. */
  readonly manifestOf: (network: NetworkId) => NetworkManifest | undefined;
}

/** The conversation about what a network is, at one member; a peer that shows nothing gets an empty message. */
export class GenesisExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.genesis;
  readonly #dependencies: GenesisExchangeDependencies;
  readonly #timeoutMs: number;
  readonly #bytes: Uint8Array;
  readonly #rates: RateLimiter;
  readonly #requests: RateLimiter;

  constructor(
    dependencies: GenesisExchangeDependencies,
    limits: NetworkLimits & Pick<MembershipLimits, "manifestsPerWindowMax" | "requestsPerWindowMax">,
  ) {
    this.#dependencies = dependencies;
    this.#timeoutMs = limits.admissionTimeoutMs;
    this.#bytes = canonicalGenesisBytes(dependencies.genesis);
    this.#rates = ratesOf(limits.manifestsPerWindowMax, dependencies, limits);
    this.#requests = ratesOf(limits.requestsPerWindowMax, dependencies, limits);
  }

  /** Answer whoever asks. */
  async start(): Promise<void> {
    const { transport, clock } = this.#dependencies;
    const [protocol, timeoutMs] = [this.protocol, this.#timeoutMs];
    await transport.handle(protocol, (stream, from) =>
      answerWithin(clock, { stream, timeoutMs, protocol }, (opened) =>
        answer(opened, protocol, (request) => this.#answer(request, from)),
      ),
    );
  }

  /** Nothing goes on by itself. */
  async stop(): Promise<void> {}

  /** To a member that names a network id its manifest, to whoever shows an invite the genesis. */
  #answer(request: Uint8Array, from: PeerId): Uint8Array {
    const { log, genesis, isMember, manifestOf } = this.#dependencies;
    if (request.length !== networkIdToBytes(log.networkId).length) {
      this.#requests.require(from, "the genesis");
      return mayKnow(request, from, this.#dependencies) ? this.#bytes : new Uint8Array();
    }
    if (!isMember(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for a manifest and is no member`);
    this.#rates.require(from, "manifests");
    const id = networkIdFromBytes(request);
    const found = id === networkId(genesis.manifest) ? genesis.manifest : manifestOf(id);
    return found === undefined ? new Uint8Array() : canonicalManifestBytes(found);
  }
}

/** What telling how the network has gone on needs. */
export interface SuccessorExchangeDependencies extends InviteDependencies {
  /** The manifests that the network has gone through, and the one of them that this peer is in. */
  readonly story: () => { readonly manifests: readonly NetworkManifest[]; readonly network: NetworkId };
}

/** The conversation about how a network has gone on, at one member; a peer that shows nothing gets an empty message. */
export class SuccessorExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.successors;
  readonly #dependencies: SuccessorExchangeDependencies;
  readonly #timeoutMs: number;
  readonly #rates: RateLimiter;

  constructor(
    dependencies: SuccessorExchangeDependencies,
    limits: NetworkLimits & Pick<MembershipLimits, "storiesPerWindowMax">,
  ) {
    this.#dependencies = dependencies;
    this.#timeoutMs = limits.admissionTimeoutMs;
    this.#rates = ratesOf(limits.storiesPerWindowMax, dependencies, limits);
  }

  /** Answer whoever asks. */
  async start(): Promise<void> {
    const { transport, clock } = this.#dependencies;
    const [protocol, timeoutMs] = [this.protocol, this.#timeoutMs];
    await transport.handle(protocol, (stream, from) =>
      answerWithin(clock, { stream, timeoutMs, protocol }, async ({ source, sink }) => {
        this.#rates.require(from, "successors");
        const request = await pipe(source, oneFrame(protocol.bytesMax.opened));
        await pipe(this.#answer(request, from).map(encodeFrame), cut, sink);
      }),
    );
  }

  /** Nothing goes on by itself. */
  async stop(): Promise<void> {}

  #answer(request: Uint8Array, from: PeerId): readonly Uint8Array[] {
    if (!mayKnow(request, from, this.#dependencies)) return [new Uint8Array()];
    const { manifests, network } = this.#dependencies.story();
    // The first one is the genesis', which is asked for by itself.
    return [networkIdToBytes(network), ...manifests.slice(1).map(canonicalManifestBytes)];
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
  const bytes = await ask(caller, { ...call, protocol: STREAM_PROTOCOLS.genesis }, request);
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
  const bytes = await ask(caller, { ...call, protocol: STREAM_PROTOCOLS.genesis }, networkIdToBytes(network));
  if (bytes.length === 0) return undefined;
  const manifest = manifestFromBytes(bytes);
  return networkId(manifest) === network ? manifest : undefined;
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
  return await withStream(caller, { ...call, protocol: STREAM_PROTOCOLS.successors }, async ({ source, sink }) => {
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
    const text = `${call.peer} is in a network that the invite's does not lead to`;
    throw new NodeError("MANIFEST_MISMATCH", text, { peer: call.peer });
  });
}

const refused = (peer: PeerId): NodeError =>
  new NodeError("NOT_ALLOWED", "the member does not say how the network has gone on: it does not take this invite", {
    peer,
  });
