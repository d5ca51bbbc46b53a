/** The part of an adapter that travels: how a peer takes it out of its flat vector, and puts a received one back in. */
import type { AdapterSlot, AdapterTensor } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";

/** How the flat vector of a peer and the vector that it sends go over into each other. */
export interface SentPart {
  /** The places of the traveling tensors in the vector that is sent. */
  readonly slots: readonly AdapterSlot[];
  /** P of a manifest: the number of values sent. */
  readonly length: number;
  /** theta f32[trained] -> f32[sent], a copy. */
  sentOf(theta: Float32Array): Float32Array;
  /** theta f32[trained], sent f32[sent] -> f32[trained], a copy of theta with the sent tensors in their places. */
  withSent(theta: Float32Array, sent: Float32Array): Float32Array;
}

/**
 * slots: of the trained tensors; sent: those of them that travel, in the same order.
 * Throws: RangeError when a sent tensor is not trained; the functions ADAPTER_SHAPE when a vector has another length.
 */
export function sentPart(slots: readonly AdapterSlot[], sent: readonly AdapterTensor[]): SentPart {
  const places = new Map(slots.map((slot) => [slot.name, slot.offset]));
  const sentSlots = adapterSlots(sent);
  const moves = sentSlots.map(({ name, offset, length }) => {
    const place = places.get(name);
    if (place === undefined) throw new RangeError(`the tensor ${name} is sent but not trained`);
    return { place, offset, length };
  });
  const trainedLength = slots.reduce((sum, slot) => sum + slot.length, 0);
  const sentLength = sentSlots.reduce((sum, slot) => sum + slot.length, 0);
  return {
    slots: sentSlots,
    length: sentLength,
    sentOf: (theta) => {
      checkLength(theta, trainedLength);
      const out = new Float32Array(sentLength);
      for (const { place, offset, length } of moves) out.set(theta.subarray(place, place + length), offset);
      return out;
    },
    withSent: (theta, values) => {
      checkLength(theta, trainedLength);
      checkLength(values, sentLength);
      const out = theta.slice();
      for (const { place, offset, length } of moves) out.set(values.subarray(offset, offset + length), place);
      return out;
    },
  };
}

function checkLength({ length }: Float32Array, expected: number): void {
  if (length === expected) return;
  const text = `an adapter of ${length} values where the settings ask for ${expected}`;
  throw new NodeError("ADAPTER_SHAPE", text, { values: length, expected });
}
