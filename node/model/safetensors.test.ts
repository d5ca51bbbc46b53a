import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NodeError } from "../errors.ts";
import { parseSafetensorsHeader, readSafetensors, toFloat32, writeSafetensors } from "./safetensors.ts";

const name = "model.safetensors";

function file(header: string, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const entry = (dtype: string, shape: readonly number[], begin: number, end: number): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe("what is written is read back", () => {
  test("any tensors and metadata, bit for bit, in the given order", () => {
    const tensor = fc
      .array(fc.nat({ max: 4 }), { maxLength: 3 })
      .chain((shape) =>
        fc
          .float32Array({ minLength: shape.reduce((p, n) => p * n, 1), maxLength: shape.reduce((p, n) => p * n, 1) })
          .map((data) => ({ shape, data })),
      );
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((s) => s !== "__metadata__"),
          tensor,
        ),
        fc.dictionary(fc.string(), fc.string()),
        (named, metadata) => {
          const tensors = Object.entries(named).map(([key, value]) => ({ name: key, ...value }));
          const bytes = writeSafetensors(tensors, metadata);
          const read = readSafetensors(bytes, { name });
          expect(Object.entries(read.metadata)).toEqual(Object.entries(metadata));
          expect(read.tensors.size).toBe(tensors.length);
          for (const { name: key, shape, data } of tensors) {
            const found = read.tensors.get(key)!;
            expect(found.shape).toEqual(shape);
            expect(new Uint8Array(toFloat32(found).buffer)).toEqual(new Uint8Array(data.slice().buffer));
          }
          expect(parseSafetensorsHeader(bytes, { name }).dataOffset % 8).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("from a view that does not begin at an aligned byte", () => {
    const bytes = writeSafetensors([{ name: "a", shape: [2], data: Float32Array.of(1.5, -2) }]);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const read = readSafetensors(shifted.subarray(3), { name });
    expect([...toFloat32(read.tensors.get("a")!)]).toEqual([1.5, -2]);
  });

  test("from a Buffer, whose slice is a view and not a copy", () => {
    const bytes = Buffer.from(writeSafetensors([{ name: "a", shape: [2], data: Float32Array.of(1.5, -2) }]));
    const tensor = readSafetensors(bytes, { name }).tensors.get("a")!;
    const copy = toFloat32({ dtype: "F32", bytes: Buffer.from(tensor.bytes) });
    expect([...copy]).toEqual([1.5, -2]);
    bytes.fill(0);
    expect([...copy]).toEqual([1.5, -2]);
  });

  test("the header alone is enough when the file's length is given", () => {
    const bytes = writeSafetensors([{ name: "a", shape: [3], data: Float32Array.of(1, 2, 3) }]);
    const header = parseSafetensorsHeader(bytes.subarray(0, bytes.length - 12), { name, fileBytes: bytes.length });
    expect(header.entries).toEqual([{ name: "a", dtype: "F32", shape: [3], begin: 0, end: 12 }]);
  });

  test("values that do not fill the shape, and a repeated name, are refused", () => {
    const data = Float32Array.of(1);
    expect(() => writeSafetensors([{ name: "a", shape: [2], data }])).toThrow(RangeError);
    const twice = { name: "a", shape: [1], data };
    expect(() => writeSafetensors([twice, twice])).toThrow(RangeError);
  });
});

describe("number formats", () => {
  test("every half precision value agrees with the definition", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const ours = toFloat32({ dtype: "F16", bytes: new Uint8Array(bits.buffer) });
    for (let i = 0; i < 65536; i++) {
      if (!Object.is(ours[i], slowHalf(i))) expect.fail(`bits ${i}: ${ours[i]} is not ${slowHalf(i)}`);
    }
  });

  test("bfloat16 is the upper half of float32", () => {
    const values = Float32Array.of(1, -2.5, 0, Number.POSITIVE_INFINITY, 3.140625);
    const upper = Uint16Array.from(new Uint32Array(values.buffer), (b) => b >>> 16);
    expect([...toFloat32({ dtype: "BF16", bytes: new Uint8Array(upper.buffer) })]).toEqual([...values]);
  });

  test("double precision is rounded to single", () => {
    const bytes = new Uint8Array(Float64Array.of(0.1, 1e300).buffer);
    expect([...toFloat32({ dtype: "F64", bytes })]).toEqual([Math.fround(0.1), Number.POSITIVE_INFINITY]);
  });

  test("integers are refused", () => {
    expect(() => toFloat32({ dtype: "I64", bytes: new Uint8Array(8) })).toThrow(/I64/);
  });
});

/** By definition, digit by digit. */
function slowHalf(bits: number): number {
  const digits = bits.toString(2).padStart(16, "0");
  const exponent = Number.parseInt(digits.slice(1, 6), 2);
  let fraction = exponent === 0 ? 0 : 1;
  for (let i = 0; i < 10; i++) fraction += Number(digits[6 + i]) * 2 ** -(i + 1);
  if (exponent === 31) return fraction === 1 ? (digits[0] === "1" ? -1 / 0 : 1 / 0) : Number.NaN;
  return (digits[0] === "1" ? -1 : 1) * fraction * 2 ** (Math.max(exponent, 1) - 15);
}

describe("a broken file gets one line that says what is wrong", () => {
  const f4 = new Uint8Array(4);
  const rows: readonly [string, Uint8Array, RegExp][] = [
    ["empty", new Uint8Array(0), /truncated: .* this one has 0/],
    ["seven bytes", new Uint8Array(7), /this one has 7/],
    ["header length beyond the format", file("{}", f4, 2n ** 63n), /not a safetensors file/],
    [
      "header longer than the file",
      file("{}", undefined, 99n),
      /truncated: the header ends at byte 107, the file has 10/,
    ],
    ["data cut off", file(`{"a":${entry("F32", [2], 0, 8)}}`, f4), /truncated: header says 70 bytes, file has 66/],
    ["bytes left over", file(`{"a":${entry("F32", [1], 0, 4)}}`, new Uint8Array(5)), /header says \d+ bytes, file has/],
    ["not JSON", file("{nope}"), /not JSON/],
    ["not UTF-8", new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /not UTF-8/],
    ["byte order mark", file("\ufeff{}"), /not JSON/],
    ["a list", file("[]"), /not a JSON object/],
    ["deep nesting", file("[".repeat(5000)), /nests deeper/],
    ["name twice", file(`{"a":${entry("F32", [0], 0, 0)},"a":${entry("F32", [1], 0, 4)}}`, f4), /"a" twice/],
    [
      "name twice by escape",
      file(`{"a":${entry("F32", [0], 0, 0)},"\\u0061":${entry("F32", [1], 0, 4)}}`, f4),
      /twice/,
    ],
    ["field twice", file('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', f4), /twice/],
    ["unknown dtype", file(`{"a":${entry("Q8_0", [4], 0, 4)}}`, f4), /"Q8_0"; known are/],
    ["dtype of the prototype", file(`{"a":${entry("toString", [4], 0, 4)}}`, f4), /dtype "toString"/],
    ["lying shape", file(`{"a":${entry("F32", [2], 0, 4)}}`, f4), /needs 8 bytes, its range 4/],
    ["overflowing shape", file(`{"a":${entry("F32", [2 ** 40, 2 ** 40], 0, 4)}}`, f4), /its range 4/],
    ["fractional shape", file(`{"a":${entry("F32", [0.5], 0, 2)}}`), /shape that is not/],
    ["negative offset", file(`{"a":${entry("F32", [1], -4, 0)}}`), /data_offsets/],
    ["end before begin", file(`{"a":${entry("F32", [1], 4, 0)}}`, f4), /its range -4/],
    [
      "overlap",
      file(`{"a":${entry("F32", [1], 0, 4)},"b":${entry("F32", [1], 2, 6)}}`, new Uint8Array(6)),
      /"b" overlaps/,
    ],
    ["hole", file(`{"a":${entry("F32", [1], 4, 8)}}`, new Uint8Array(8)), /4 bytes before tensor "a"/],
    ["unknown field", file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}'), /unknown field "x"/],
    ["metadata not text", file('{"__metadata__":{"a":1}}'), /__metadata__ "a" is not a string/],
    ["tensor is a number", file('{"a":1}'), /"a" is not an object/],
  ];
  test.each(rows)("%s", (_title, bytes, expected) => {
    let thrown: unknown;
    try {
      readSafetensors(bytes, { name });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(NodeError);
    const { code, message } = thrown as NodeError;
    expect(code).toBe("SAFETENSORS_INVALID");
    expect(message).toMatch(expected);
    expect(message).toMatch(/^model\.safetensors: /);
    expect(message).not.toContain("\n");
  });

  test("any damage to a valid file gives a coded error or tensors inside the file", () => {
    const valid = writeSafetensors(
      [
        { name: "a", shape: [2, 3], data: new Float32Array(6) },
        { name: "b", shape: [4], data: new Float32Array(4) },
      ],
      { format: "pt" },
    );
    const damage = fc.array(fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(damage, fc.nat({ max: valid.length }), fc.boolean(), (edits, cut, cuts) => {
        const bytes = cuts ? valid.slice(0, cut) : valid.slice();
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        onlyCodedErrors(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("any JSON header gives a coded error or tensors inside the file", () => {
    const number = fc.oneof(fc.nat({ max: 9 }), fc.double(), fc.constantFrom(2 ** 53, -1, 1e308));
    const tensor = fc.record(
      {
        dtype: fc.constantFrom("F32", "F16", "U8", "BOOL", "I64", "Q4"),
        shape: fc.array(number, { maxLength: 4 }),
        data_offsets: fc.array(number, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    const header = fc.dictionary(fc.string(), fc.oneof(tensor, fc.jsonValue()));
    fc.assert(
      fc.property(header, fc.nat({ max: 64 }), (value, dataBytes) => {
        onlyCodedErrors(file(JSON.stringify(value), new Uint8Array(dataBytes)));
      }),
      { numRuns: 1000 },
    );
  });
});

function onlyCodedErrors(bytes: Uint8Array): void {
  try {
    const { tensors } = readSafetensors(bytes, { name });
    let total = 0;
    for (const tensor of tensors.values()) {
      expect(tensor.bytes.buffer).toBe(bytes.buffer);
      total += tensor.bytes.length;
    }
    expect(total).toBeLessThanOrEqual(bytes.length);
  } catch (error) {
    if (!(error instanceof NodeError) || error.code !== "SAFETENSORS_INVALID") throw error;
  }
}
