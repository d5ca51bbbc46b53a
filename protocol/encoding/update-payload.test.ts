import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../prng.ts";
import type { UpdateEncoding, ValueEncoding } from "./update-encoding.ts";
import { decodeUpdate, ENCODINGS, encodeUpdate, payloadBytesMax, sparseCountMax } from "./update-payload.ts";

const KINDS: readonly ValueEncoding[] = ["float32", "float16", "int8"];
const TENSORS = [
  { name: "a", shape: [4, 8] },
  { name: "b", shape: [2, 3, 5] },
  { name: "c", shape: [7] },
  { name: "d", shape: [6, 1] },
];
const P = 75;
const sparse = (values: ValueEncoding, share = 0.1, keyframeEvery = 8): UpdateEncoding => ({
  values,
  topK: { share, keyframeEvery },
});
const prng = () => createPrng(3);
const noise = (seed: number, length = P, size = 1): Float32Array => {
  const stream = createPrng(seed).fork("noise");
  return Float32Array.from({ length }, () => size * stream.normal());
};
const code = (expected: string) => expect.objectContaining({ code: expected });
const length2 = (x: Float32Array): number => x.reduce((sum, v) => sum + v * v, 0);
const minus = (a: Float32Array, b: Float32Array): Float32Array => a.map((v, i) => v - b[i]!);

describe.each(KINDS)("%s", (values) => {
  const rules = { tensors: TENSORS, encoding: { values } };

  test("what the author believes the others decode is what they decode", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: P, maxLength: P }),
        (all) => {
          const { encoding, payload, decoded } = encodeUpdate(Float32Array.from(all), {
            ...rules,
            sequence: 0,
            prng: prng(),
          });
          expect(decodeUpdate({ encoding, payload, sequence: 0 }, rules)).toEqual(decoded);
          expect(payload.length).toBe(payloadBytesMax(rules));
        },
      ),
    );
  });

  test("changes decode on top of what came before them, to what the author believes", () => {
    const encoding = sparse(values);
    let previous: Float32Array | undefined;
    for (let sequence = 0; sequence < 20; sequence++) {
      const sent = encodeUpdate(noise(sequence), { tensors: TENSORS, encoding, sequence, previous, prng: prng() });
      expect(ENCODINGS[sent.encoding as 1]).toEqual({ values, isSparse: sequence % 8 !== 0 });
      const update = { ...sent, sequence };
      const read = decodeUpdate(update, { tensors: TENSORS, encoding, previous });
      expect(read, `sequence ${sequence}`).toEqual(sent.decoded);
      if (sequence % 8 !== 0) {
        expect(read.filter((x, i) => x !== previous?.[i]).length).toBeLessThanOrEqual(sparseCountMax(0.1, P));
        expect(() => decodeUpdate(update, { tensors: TENSORS, encoding })).toThrow(code("BASE_UNKNOWN"));
      }
      expect(sent.payload.length).toBeLessThanOrEqual(payloadBytesMax({ tensors: TENSORS, encoding }));
      previous = read;
    }
  });

  test("a share of the changes leaves at most its part of the error, and all of it arrives in the end", () => {
    const length = 1000;
    const tensors = [{ name: "a", shape: [10, 100] }];
    const encoding = sparse(values, 0.05, 64);
    const theta = noise(1, length, 0.1);
    let others: Float32Array = new Float32Array(length);
    // Changes of a keyframe's precision would be rounded away at the very end.
    const precision = { float32: 0, float16: 2 ** -10, int8: 2 / 127 }[values];
    for (let sequence = 1; sequence <= 24; sequence++) {
      const before = length2(minus(theta, others));
      const sent = encodeUpdate(theta, { tensors, encoding, sequence, previous: others, prng: prng() });
      const after = length2(minus(theta, sent.decoded));
      // |e - topk(e)|^2 <= (1 - k/P) |e|^2, Stich et al. 2018, lemma A.1, and rounding of what is sent.
      const bound = Math.sqrt((1 - 0.05) * before) + precision * Math.sqrt(before);
      expect(Math.sqrt(after), `sequence ${sequence}`).toBeLessThanOrEqual(bound * (1 + 1e-6));
      others = sent.decoded;
    }
    expect(length2(minus(theta, others))).toBeLessThanOrEqual(precision * precision * length2(theta) + 1e-12);
  });

  test.each([0.001, 0.01, 0.1, 0.5])(
    "a share of %d is at most 5 percent and 512 bytes above its information",
    (share) => {
      const length = 40_000;
      const tensors = [{ name: "a", shape: [400, 100] }];
      const encoding = sparse(values, share);
      const { payload } = encodeUpdate(noise(2, length), {
        tensors,
        encoding,
        sequence: 1,
        previous: noise(4, length),
        prng: prng(),
      });
      const count = sparseCountMax(share, length);
      let bits = count * { float32: 32, float16: 16, int8: 8 }[values];
      for (let i = 0; i < count; i++) bits += Math.log2((length - i) / (i + 1));
      const every = { float32: 4, float16: 2, int8: 1 }[values] * length;
      expect(payload.length).toBeLessThanOrEqual(
        1.05 * Math.min(bits / 8, every + (values === "int8" ? 1600 : 0)) + 512,
      );
    },
  );
});

test.each([
  ["float16", 64, 2.07e-4],
  ["float16", 2048, 2.07e-4],
  ["int8", 8, 0.0055],
  ["int8", 64, 0.0077],
  ["int8", 2048, 0.011],
] as const)("%s rounds normal rows of %d by about %d of their norm", (values, length, expected) => {
  const tensors = [{ name: "a", shape: [2 ** 16 / length, length] }];
  const theta = noise(7, 2 ** 16, 0.02);
  const { decoded } = encodeUpdate(theta, { tensors, encoding: { values }, sequence: 0, prng: prng() });
  const error = Math.sqrt(length2(minus(theta, decoded)) / length2(theta));
  expect(error / expected).toBeGreaterThan(0.9);
  expect(error / expected).toBeLessThan(1.1);
});

test("an update is dense where changes would be longer, cannot be written, or have nothing to go by", () => {
  const encode = (values: Float32Array, previous: Float32Array | undefined, share = 0.1) =>
    encodeUpdate(values, { tensors: TENSORS, encoding: sparse("int8", share), sequence: 1, previous, prng: prng() });
  expect(encode(noise(1), noise(2)).encoding).toBe(6);
  expect(encode(noise(1), undefined).encoding).toBe(3);
  expect(encode(noise(1).fill(3e38), noise(1).fill(-3e38)).encoding).toBe(3);
  const tensors = [{ name: "a", shape: [4] }];
  const tiny = { tensors, encoding: sparse("float16", 0.5), sequence: 1, previous: noise(2, 4), prng: prng() };
  expect(encodeUpdate(noise(1, 4), tiny).encoding).toBe(2);
});

test("an adapter that did not change is told in four bytes", () => {
  const theta = noise(1);
  const options = { tensors: TENSORS, encoding: sparse("int8"), sequence: 1, previous: theta, prng: prng() };
  const { encoding, payload, decoded } = encodeUpdate(theta, options);
  expect({ encoding, payload }).toEqual({ encoding: 6, payload: new Uint8Array(4) });
  expect(decoded).toEqual(theta);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%d is not sent", (value) => {
  for (const values of KINDS) {
    const theta = noise(1);
    theta[3] = value;
    const encode = () => encodeUpdate(theta, { tensors: TENSORS, encoding: { values }, sequence: 0, prng: prng() });
    expect(encode, values).toThrow(expect.objectContaining({ code: "VALUE_NOT_FINITE", facts: { index: 3 } }));
  }
});

test("float32 keeps every bit, little endian, whatever the alignment of the payload in its buffer", () => {
  const tensors = [{ name: "a", shape: [2] }];
  const { payload } = encodeUpdate(Float32Array.of(1, -2), { tensors, sequence: 0, prng: prng() });
  expect(payload).toEqual(Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0));
  for (const kind of KINDS) {
    const rules = { tensors: TENSORS, encoding: { values: kind } };
    const sent = encodeUpdate(noise(1), { ...rules, sequence: 0, prng: prng() });
    const shifted = new Uint8Array(sent.payload.length + 3);
    shifted.set(sent.payload, 3);
    expect(decodeUpdate({ ...sent, payload: shifted.subarray(3), sequence: 0 }, rules), kind).toEqual(sent.decoded);
  }
});

describe("what a stranger sends", () => {
  const rules = (values: ValueEncoding) => ({ tensors: TENSORS, encoding: sparse(values), previous: noise(9) });
  const codes = /^(ENCODING_UNKNOWN|PAYLOAD_LENGTH|PAYLOAD_INVALID|VALUE_NOT_FINITE)$/;
  const settle = (
    update: { encoding: number; payload: Uint8Array; sequence: number },
    values: ValueEncoding,
  ): boolean => {
    try {
      const read = decodeUpdate(update, rules(values));
      expect(read.length).toBe(P);
      expect(read.every(Number.isFinite)).toBe(true);
      return true;
    } catch (error) {
      expect(error).toHaveProperty("code", expect.stringMatching(codes));
      return false;
    }
  };
  const kind = fc.constantFrom(...KINDS);
  const allOf = (sequence: number) =>
    Object.fromEntries(
      KINDS.map((values) => [values, encodeUpdate(noise(1), { ...rules(values), sequence, prng: prng() })]),
    );

  test("of arbitrary bytes never breaks the decoder and never gives NaN", () => {
    const arbitrary = fc.record({
      encoding: fc.nat({ max: 7 }),
      payload: fc.uint8Array({ maxLength: 400 }),
      sequence: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(arbitrary, kind, (update, values) => void settle(update, values)),
      { numRuns: 1000 },
    );
  });

  test("of changed bytes never breaks the decoder and never gives NaN", () => {
    const [keyframes, changes] = [allOf(0), allOf(1)];
    let accepted = 0;
    const splice = fc.record({ at: fc.nat(), remove: fc.nat({ max: 2 }), insert: fc.uint8Array({ maxLength: 2 }) });
    fc.assert(
      fc.property(splice, kind, fc.nat({ max: 1 }), ({ at, remove, insert }, values, sequence) => {
        const { encoding, payload } = sequence === 0 ? keyframes[values]! : changes[values]!;
        const bytes = [...payload];
        bytes.splice(at % bytes.length, remove, ...insert);
        if (settle({ encoding, payload: Uint8Array.from(bytes), sequence }, values)) accepted++;
      }),
      { numRuns: 2000 },
    );
    // Bytes of a value may change without anybody being able to tell.
    expect(accepted).toBeGreaterThan(20);
  });

  test.each<[string, number, number, (bytes: Uint8Array) => Uint8Array, string]>([
    ["an encoding that is none", 7, 1, (bytes) => bytes, "ENCODING_UNKNOWN"],
    ["an encoding of another network", 2, 1, (bytes) => bytes, "ENCODING_UNKNOWN"],
    ["changes where a keyframe is due", 4, 8, (bytes) => bytes, "ENCODING_UNKNOWN"],
    ["more changes than the share", 4, 1, (bytes) => Uint8Array.of(9, ...bytes.subarray(1)), "PAYLOAD_LENGTH"],
    ["a count of 4 billion", 4, 1, (bytes) => bytes.map((b, i) => (i < 4 ? 255 : b)), "PAYLOAD_LENGTH"],
    ["fewer values than its count", 4, 1, (bytes) => bytes.subarray(0, 20), "PAYLOAD_LENGTH"],
    ["a byte too many", 4, 1, (bytes) => Uint8Array.of(...bytes, 0), "PAYLOAD_LENGTH"],
    ["no count", 4, 1, () => new Uint8Array(3), "PAYLOAD_LENGTH"],
    ["a place that is none", 4, 1, (bytes) => bytes.map((b, i) => (i === 4 ? 255 : b)), "PAYLOAD_INVALID"],
  ])("%s is refused", (_, encoding, sequence, change, expected) => {
    const sent = encodeUpdate(noise(1), { ...rules("float32"), sequence: 1, prng: prng() });
    const update = { encoding, payload: change(sent.payload), sequence };
    expect(() => decodeUpdate(update, rules("float32"))).toThrow(code(expected));
  });

  test("a sum that is not finite is refused", () => {
    const tensors = [{ name: "a", shape: [40] }];
    const options = { tensors, encoding: sparse("float32"), sequence: 1, prng: prng() };
    const small = new Float32Array(40);
    const sent = encodeUpdate(
      small.map((_, i) => (i < 2 ? 3e38 : 0)),
      { ...options, previous: small },
    );
    expect(() => decodeUpdate({ ...sent, sequence: 1 }, { ...options, previous: small.fill(3e38) })).toThrow(
      code("VALUE_NOT_FINITE"),
    );
  });
});
