/** Changes of inputs: bits, bytes, numbers at the edges, pieces out, in, doubled and of other inputs. */

/** A small generator of random numbers (xorshift32): the changes need speed, and a seed. */
export type Random = (below: number) => number;

/** seed: any integer but 0. */
export function randomOf(seed: number): Random {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Numbers at which code decides: signs, sizes, the edges of bytes and of JavaScript's integers. */
const EDGES = [
  0,
  1,
  2,
  4,
  8,
  16,
  32,
  64,
  127,
  128,
  255,
  256,
  1024,
  32767,
  32768,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];

/** Up to eight changes of an input; `donor` is another one.  bytesMax: of the result. */
export function mutate(input: Uint8Array, donor: Uint8Array, random: Random, bytesMax: number): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let left = 1 << random(4); left > 0; left--) bytes = CHANGES[random(CHANGES.length)]!(bytes, donor, random);
  return bytes.subarray(0, bytesMax);
}

type Change = (bytes: Uint8Array, donor: Uint8Array, random: Random) => Uint8Array;

/** Change bytes in place, where there are any. */
const inPlace =
  (change: (bytes: Uint8Array, at: number, random: Random) => void): Change =>
  (bytes, _, random) => {
    if (bytes.length > 0) change(bytes, random(bytes.length), random);
    return bytes;
  };

const flipBit = inPlace((bytes, at, random) => void (bytes[at]! ^= 1 << random(8)));
const setByte = inPlace((bytes, at, random) => void (bytes[at] = random(256)));
const addToByte = inPlace((bytes, at, random) => void (bytes[at]! += random(33) - 16));
/** A number at an edge, in one to eight bytes of either order. */
const setNumber = inPlace((bytes, at, random) => {
  const width = 1 << random(4);
  let rest = EDGES[random(EDGES.length)]!;
  const isLittle = random(2) === 0;
  for (let i = 0; i < width; i++, rest = Math.floor(rest / 256)) {
    const place = at + (isLittle ? i : width - 1 - i);
    if (place < bytes.length) bytes[place] = rest % 256;
  }
});

const remove: Change = (bytes, _, random) => {
  const [from, to] = piece(bytes, random);
  return joined(bytes.subarray(0, from), bytes.subarray(to));
};
const double: Change = (bytes, _, random) => {
  const [from, to] = piece(bytes, random);
  return joined(bytes.subarray(0, to), bytes.subarray(from));
};
const insert: Change = (bytes, _, random) => {
  const at = random(bytes.length + 1);
  const fresh = Uint8Array.from({ length: 1 + random(8) }, () => random(256));
  return joined(bytes.subarray(0, at), fresh, bytes.subarray(at));
};
/** A piece of the other input, in place of as many bytes or between them. */
const borrow: Change = (bytes, donor, random) => {
  const [from, to] = piece(donor, random);
  const at = random(bytes.length + 1);
  const behind = random(2) === 0 ? at : Math.min(bytes.length, at + to - from);
  return joined(bytes.subarray(0, at), donor.subarray(from, to), bytes.subarray(behind));
};
const cutEnd: Change = (bytes, _, random) => bytes.subarray(0, random(bytes.length + 1));

const CHANGES = [
  flipBit,
  setByte,
  setByte,
  addToByte,
  setNumber,
  setNumber,
  remove,
  double,
  insert,
  borrow,
  borrow,
  cutEnd,
];

/** Where a piece begins and ends: short ones mostly. */
function piece(bytes: Uint8Array, random: Random): readonly [from: number, to: number] {
  const from = random(bytes.length + 1);
  const longest = random(4) === 0 ? bytes.length : 16;
  return [from, Math.min(bytes.length, from + 1 + random(longest + 1))];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
