/**
 * The update: one author's adapter of one round, hash-chained to the author's previous update. Its content id is
 * the SHA-256 of its envelope's bytes.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import {
  type ContentId,
  type CreateSha256,
  contentIdFromBytes,
  contentIdOf,
  contentIdToBytes,
  DIGEST_BYTES,
} from "./content-id.ts";
import { openEnvelope, type Signer, sealEnvelope } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "./network-id.ts";
import type { PeerId } from "./peer-id.ts";
import { UpdateBodySchema } from "./wire_pb.ts";

const UINT32_MAX = 0xffff_ffff;

/** The content of an update. */
export interface UpdateFields {
  readonly networkId: NetworkId;
  readonly round: number;
  /** 0 for an author's first update, then one more each time. */
  readonly sequence: number;
  /** Content id of the author's previous update; undefined exactly when `sequence` is 0. */
  readonly previous: ContentId | undefined;
  /** Local steps taken in this round. */
  readonly localSteps: number;
  /** Training examples that the author holds. */
  readonly sampleCount: number;
  /** Neighbours that the author counts, where the network weighs by them; absent for none. */
  readonly neighbours?: number | undefined;
  /** See `ENCODINGS` of encoding/update-payload.ts. */
  readonly encoding: number;
  /** The values in that encoding. */
  readonly payload: Uint8Array;
}

/** An update with its author and its content id. */
export interface Update extends UpdateFields {
  readonly author: PeerId;
  readonly contentId: ContentId;
  /** Length of the envelope. */
  readonly bytesLength: number;
}

/** Bytes of the body of an update, in canonical form.  Throws: FIELD_INVALID. */
export function encodeUpdateBody(fields: UpdateFields): Uint8Array {
  const { round, sequence, localSteps, sampleCount, encoding, payload, neighbours = 0 } = fields;
  const problem = updateProblem(fields);
  if (problem !== undefined) throw new ProtocolError("FIELD_INVALID", `update: ${problem}`);
  return encodeCanonical(UpdateBodySchema, {
    networkId: networkIdToBytes(fields.networkId),
    round,
    sequence,
    previous: fields.previous === undefined ? new Uint8Array() : contentIdToBytes(fields.previous),
    localSteps,
    sampleCount,
    encoding,
    payload,
    neighbours,
  });
}

/** Fields of an update from the bytes of its body.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeUpdateBody(bytes: Uint8Array): UpdateFields {
  const body = decodeCanonical(UpdateBodySchema, bytes, LIMITS.updateBytesMax);
  if (body.networkId.length !== DIGEST_BYTES || ![0, DIGEST_BYTES].includes(body.previous.length)) {
    throw new ProtocolError("MALFORMED", `update: ids are ${DIGEST_BYTES} bytes`, {
      networkId: body.networkId.length,
      previous: body.previous.length,
    });
  }
  const fields: UpdateFields = {
    networkId: networkIdFromBytes(body.networkId),
    round: body.round,
    sequence: body.sequence,
    previous: body.previous.length === 0 ? undefined : contentIdFromBytes(body.previous),
    localSteps: body.localSteps,
    sampleCount: body.sampleCount,
    encoding: body.encoding,
    payload: body.payload,
    ...(body.neighbours > 0 && { neighbours: body.neighbours }),
  };
  const problem = updateProblem(fields);
  if (problem !== undefined) throw new ProtocolError("FIELD_INVALID", `update: ${problem}`);
  return fields;
}

/** Sign an update.  Throws: FIELD_INVALID, TOO_LARGE. */
export function signUpdate(
  fields: UpdateFields,
  signer: Signer,
  createSha256?: CreateSha256,
): { bytes: Uint8Array; contentId: ContentId } {
  const bytes = sealEnvelope("update", encodeUpdateBody(fields), signer);
  return { bytes, contentId: contentIdOf(bytes, createSha256) };
}

/**
 * Read an update's envelope without judging it: for bytes that this peer accepted or wrote itself. Bytes from anybody
 * else go through `judgeUpdate`.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, WRONG_KIND, FIELD_INVALID.
 */
export function readUpdate(bytes: Uint8Array, createSha256?: CreateSha256): Update {
  const { author, body } = openEnvelope("update", bytes);
  return { ...decodeUpdateBody(body), author, contentId: contentIdOf(bytes, createSha256), bytesLength: bytes.length };
}

function updateProblem(fields: UpdateFields): string | undefined {
  for (const [name, max] of [
    ["round", UINT32_MAX],
    ["sequence", UINT32_MAX],
    ["localSteps", LIMITS.localStepsMax],
    ["sampleCount", LIMITS.sampleCountMax],
    ["encoding", UINT32_MAX],
    ["neighbours", LIMITS.headsCountMax],
  ] as const) {
    const value = fields[name] ?? 0;
    if (!Number.isInteger(value) || value < 0 || value > max) return `${name} is not an integer from 0 to ${max}`;
  }
  if ((fields.sequence === 0) !== (fields.previous === undefined)) {
    return "sequence 0 has no previous update, every other sequence has one";
  }
  return undefined;
}
