/**
 * Over `/weft/successors/1` who holds an invite learns which manifests the network has gone through and under which it is now,
 * before it is a member: so that it can look for the right model before it asks for anything. What it is told proves itself only
 * with the roster, which it gets with its admission.
 */

import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
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
import { answerWithin, withStream } from "../exchange/deadline.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import type { AdmissionCall } from "./admission.ts";
import type { AskRates } from "./ask-rates.ts";

/** The way of a network, as one member tells it. */
export interface SuccessorStory {
  /** From the genesis' manifest on, each the successor of the one before. */
  readonly manifests: readonly NetworkManifest[];
  /** Place among them of the one that the member itself is in. */
  readonly current: number;
}

/** Answer who shows a request of admission that `mayKnow` takes, at most so often; everybody else gets an empty message. */
export async function serveSuccessors(
  {
    transport,
    clock,
    mayKnow,
    rates,
    story,
  }: {
    readonly transport: Transport;
    readonly clock: Clock;
    readonly mayKnow: (request: Uint8Array) => boolean;
    readonly rates: AskRates;
    readonly story: () => { readonly manifests: readonly NetworkManifest[]; readonly network: NetworkId };
  },
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<void> {
  await transport.handle(STREAM_PROTOCOLS.successors, (stream, from) =>
    answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.successors }, async ({ source, sink }) => {
      rates.count(from);
      const request = await pipe(source, oneFrame(LIMITS.admissionRequestBytesMax));
      if (!mayKnow(request)) {
        await pipe([encodeFrame(new Uint8Array())], cut, sink);
        return;
      }
      const { manifests, network } = story();
      // The first one is the genesis', which is asked for by itself.
      const messages = [networkIdToBytes(network), ...manifests.slice(1).map(canonicalManifestBytes)];
      await pipe(messages.map(encodeFrame), cut, sink);
    }),
  );
}

/**
 * Ask one member how the network of this manifest has gone on.
 * Throws: NodeError NOT_ALLOWED (it does not say), MANIFEST_MISMATCH (what it says does not fit together), STREAM_FAILED,
 * TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function fetchSuccessors(
  caller: { readonly transport: Transport; readonly clock: Clock },
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
    const text = `${call.peer} is in a network that the invite's does not lead to; ask another member`;
    throw new NodeError("MANIFEST_MISMATCH", text, { peer: call.peer });
  });
}

const refused = (peer: PeerId): NodeError =>
  new NodeError("NOT_ALLOWED", "the member does not say how the network has gone on: it does not take this invite", {
    peer,
  });
