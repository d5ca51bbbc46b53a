/** Protobuf messages in their one canonical form: bytes that decode and do not re-encode to the same bytes are refused. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ProtocolError } from "./errors.ts";

/**
 * Encode a message.  Fields in rising order, shortest varints, default values left out: this is the canonical form.
 * Throws: FIELD_INVALID when a field does not fit its type.
 */
export function encodeCanonical<Desc extends DescMessage>(schema: Desc, fields: MessageInitShape<Desc>): Uint8Array {
  try {
    return toBinary(schema, create(schema, fields));
  } catch (cause) {
    throw new ProtocolError("FIELD_INVALID", `${schema.name}: a field does not fit its type`, {}, { cause });
  }
}

/**
 * Decode a message that a stranger sent, in any form. The caller compares it with its canonical form itself. Byte fields
 * are views into `bytes`.  Throws: TOO_LARGE before anything is read, MALFORMED.
 */
export function decodeAnyForm<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  bytesMax: number,
): MessageShape<Desc> {
  if (bytes.length > bytesMax) {
    throw new ProtocolError("TOO_LARGE", `${schema.name}: ${bytes.length} bytes, at most ${bytesMax} are allowed`, {
      bytes: bytes.length,
      bytesMax,
    });
  }
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw malformed(schema, bytes, cause);
  }
}

/**
 * Decode a message that a stranger sent; byte fields are views into `bytes`.
 * Throws: TOO_LARGE before anything is read, MALFORMED, NOT_CANONICAL (unknown fields among it).
 */
export function decodeCanonical<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  bytesMax: number,
): MessageShape<Desc> {
  const message = decodeAnyForm(schema, bytes, bytesMax);
  let again: Uint8Array;
  try {
    again = toBinary(schema, message);
  } catch (cause) {
    throw malformed(schema, bytes, cause);
  }
  if (!equalBytes(again, bytes)) {
    throw new ProtocolError("NOT_CANONICAL", `${schema.name}: the bytes are not in canonical form`);
  }
  return message;
}

const malformed = ({ name }: DescMessage, { length }: Uint8Array, cause: unknown): ProtocolError =>
  new ProtocolError("MALFORMED", `${name}: the bytes do not decode`, { bytes: length }, { cause });

/** Whether two byte strings are the same; four bytes at a time, for there may be tens of millions. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const [left, right] = [viewOf(a), viewOf(b)];
  const rest = a.length - (a.length % 4);
  for (let i = 0; i < rest; i += 4) if (left.getUint32(i) !== right.getUint32(i)) return false;
  for (let i = rest; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
