/**
 * Bounds on the memory that an ONNX file can claim. They are checked on its bytes before any object is made of them, because
 * a message of two bytes becomes an object of hundreds. The format is protobuf: tag = field << 3 | kind, lengths as varints.
 */
import { NodeError } from "../errors.ts";

/** Most messages (nodes, attributes, tensors, dimensions, …): exports of large models have some 10^5. */
const MESSAGES_MAX = 1 << 20;
/** Deepest nesting; a branch inside a branch inside the graph needs 9. */
const DEPTH_MAX = 32;

/** A kind of message: which fields hold which messages. Field numbers are those of onnx.proto. */
interface Kind {
  readonly [field: number]: Kind;
}
const NO_MESSAGES: Kind = {};
const TENSOR: Kind = { 13: NO_MESSAGES };
const TYPE: Kind = { 1: { 2: { 1: NO_MESSAGES } } };
const VALUE_INFO: Kind = { 2: TYPE };
const ATTRIBUTE: { [field: number]: Kind } = { 5: TENSOR, 10: TENSOR };
const GRAPH: Kind = { 1: { 5: ATTRIBUTE }, 5: TENSOR, 11: VALUE_INFO, 12: VALUE_INFO, 13: VALUE_INFO };
ATTRIBUTE[6] = GRAPH;
ATTRIBUTE[11] = GRAPH;
const MODEL: Kind = { 7: GRAPH, 8: NO_MESSAGES };

const invalid = (text: string): NodeError => new NodeError("ONNX_INVALID", `the file is not an ONNX model: ${text}`);

/** Throws: ONNX_INVALID when a length lies, or messages are too many or too deep. */
export function checkWire(bytes: Uint8Array): void {
  const counter = { messages: 0 };
  walk(bytes, { kind: MODEL, begin: 0, end: bytes.length, depth: 0 }, counter);
}

interface Span {
  readonly kind: Kind;
  readonly begin: number;
  readonly end: number;
  readonly depth: number;
}

function walk(bytes: Uint8Array, { kind, begin, end, depth }: Span, counter: { messages: number }): void {
  if (depth > DEPTH_MAX) throw invalid(`its messages nest deeper than ${DEPTH_MAX}`);
  let at = begin;
  const varint = (): number => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw invalid(`a message ends in the middle of a number at byte ${at}`);
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw invalid(`a number of more than 10 bytes ends at byte ${at}`);
  };
  while (at < end) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (length > end - at) throw invalid(`a length of ${length} at byte ${at} where ${end - at} bytes are left`);
      const inner = kind[field];
      if (inner) {
        counter.messages += 1;
        if (counter.messages > MESSAGES_MAX) throw invalid(`it holds more than ${MESSAGES_MAX} messages`);
        walk(bytes, { kind: inner, begin: at, end: at + length, depth: depth + 1 }, counter);
      }
      at += length;
    } else throw invalid(`a field of wire type ${wire} at byte ${at}`);
  }
  if (at > end) throw invalid(`a message ends in the middle of a number at byte ${end}`);
}
