import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "./errors.ts";
import { createPrng } from "./prng.ts";
import {
  decodeSketchBody,
  decodeSketchRequest,
  encodeSketchBody,
  encodeSketchRequest,
  readSketch,
  SHARES_TOTAL,
  SKETCH_FEATURES,
  type SketchComponent,
  signSketch,
} from "./sketch.ts";
import { ALICE, EXAMPLE_CONTEXT, EXAMPLE_SKETCH, SELF } from "./vectors/example-network.ts";
import { changed } from "./vectors/mutation.ts";
import { sketchVectors } from "./vectors/sketch-vectors.ts";
import { judgeSketch } from "./verdict.ts";

const run = (min: number) =>
  fc
    .array(fc.double({ min, max: 1, noNaN: true }), { minLength: SKETCH_FEATURES, maxLength: SKETCH_FEATURES })
    .map((values) => Float64Array.from(values));
const component = fc.record({
  weight: fc.double({ min: 1e-12, max: 1e12, noNaN: true }),
  mean: run(-1),
  deviation: run(0),
});

describe("sketches", () => {
  it("come back as float32, with weights within 2^-16 for each component that add up to 1", () => {
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 8 }), (components) => {
        const body = encodeSketchBody({ ...EXAMPLE_SKETCH, components });
        const decoded = decodeSketchBody(body);
        const total = components.reduce((sum, { weight }) => sum + weight, 0);
        expect(decoded.components.reduce((sum, { weight }) => sum + weight, 0)).toBe(1);
        for (const [c, { weight, mean, deviation }] of decoded.components.entries()) {
          expect(Math.abs(weight - components[c]!.weight / total)).toBeLessThanOrEqual(
            components.length / SHARES_TOTAL,
          );
          expect(weight).toBeGreaterThan(0);
          expect([...mean]).toEqual([...components[c]!.mean].map(Math.fround));
          expect([...deviation]).toEqual([...components[c]!.deviation].map(Math.fround));
        }
        expect(decodeSketchBody(encodeSketchBody(decoded)).components.length).toBe(components.length);
      }),
      { numRuns: 40 },
    );
  });

  it("are refused before they are signed where nobody would take them", () => {
    const [first] = EXAMPLE_SKETCH.components as readonly [SketchComponent];
    const sign = (components: readonly SketchComponent[]) => () => signSketch({ ...EXAMPLE_SKETCH, components }, ALICE);
    for (const components of [
      [],
      [{ ...first, weight: 0 }],
      [{ ...first, weight: Number.NaN }],
      [{ ...first, mean: new Float64Array(31) }],
      [{ ...first, mean: first.mean.with(0, 1.5) }],
      [{ ...first, deviation: first.deviation.with(0, -0.5) }],
      Array.from({ length: 65 }, () => first),
    ]) {
      expect(sign(components)).toThrow(expect.objectContaining({ code: "FIELD_INVALID" }));
    }
  });

  it("are read back with their author, and are their own to whoever made them", () => {
    expect(readSketch(signSketch(EXAMPLE_SKETCH, ALICE)).author).toBe(ALICE.peer);
    const own = judgeSketch(signSketch(EXAMPLE_SKETCH, SELF), { ...EXAMPLE_CONTEXT, author: SELF.peer });
    expect(own.code).toBe("OWN");
  });

  it("are asked for by their author's key", () => {
    expect(decodeSketchRequest(encodeSketchRequest(ALICE.peer))).toBe(ALICE.peer);
    for (const bytes of [new Uint8Array(), new Uint8Array(65), Uint8Array.of(0x0a, 1, 7)]) {
      expect(() => decodeSketchRequest(bytes)).toThrow(ProtocolError);
    }
  });

  it("of the vectors, changed anywhere, are accepted by nobody and break nothing", () => {
    const vectors = sketchVectors().filter(({ expected }) => expected === "ACCEPTED");
    const prng = createPrng(1).fork("fuzz-sketch");
    const codes: Record<string, number> = {};
    for (let i = 0; i < 600; i++) {
      const { bytes, name } = vectors[i % vectors.length]!;
      const other = hexToBytes(vectors[prng.below(vectors.length)]!.bytes);
      const fuzzed = changed(hexToBytes(bytes), other, prng);
      if (vectors.some((vector) => vector.bytes === bytesToHex(fuzzed))) continue;
      const { code } = judgeSketch(fuzzed, { ...EXAMPLE_CONTEXT, author: ALICE.peer });
      expect(["ACCEPTED", "INTERNAL"], name).not.toContain(code);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    for (const code of ["MALFORMED", "NOT_CANONICAL", "SIGNATURE_INVALID", "FIELD_INVALID"]) {
      expect(codes[code] ?? 0, code).toBeGreaterThan(0);
    }
  });
});
