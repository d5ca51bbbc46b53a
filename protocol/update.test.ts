import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAnnouncement, signAnnouncement } from "./announcement.ts";
import { type ContentId, contentIdOf } from "./content-id.ts";
import type { NetworkId } from "./network-id.ts";
import { decodeUpdateBody, encodeUpdateBody, readUpdate, signUpdate, type UpdateFields } from "./update.ts";
import { ALICE, BOB, EXAMPLE_UPDATE } from "./vectors/example-network.ts";

const hexId = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const uint32 = fc.nat({ max: 0xffff_ffff });
const fields: fc.Arbitrary<UpdateFields> = fc
  .record({
    networkId: hexId.map((id) => id as NetworkId),
    round: uint32,
    sequence: uint32,
    previous: hexId.map((id) => id as ContentId),
    localSteps: fc.nat({ max: 1_000_000 }),
    sampleCount: fc.nat({ max: 1_000_000_000 }),
    encoding: uint32,
    payload: fc.uint8Array({ maxLength: 64 }),
    neighbours: fc.nat({ max: 1024 }),
  })
  .map(({ neighbours, ...one }) => ({
    ...one,
    previous: one.sequence === 0 ? undefined : one.previous,
    ...(neighbours > 0 && { neighbours }),
  }));

/** Protobuf by hand: a varint, and the fields in order, leaving out zero and empty. */
function varint(n: number): number[] {
  return n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))];
}
function protobuf(values: readonly (number | Uint8Array)[]): Uint8Array {
  const fieldBytes = values.flatMap((value, i) => {
    if (typeof value === "number") return value === 0 ? [] : [(i + 1) << 3, ...varint(value)];
    return value.length === 0 ? [] : [((i + 1) << 3) | 2, ...varint(value.length), ...value];
  });
  return Uint8Array.from(fieldBytes);
}
const bytesOf = (hex: string | undefined) => Uint8Array.from(Buffer.from(hex ?? "", "hex"));

describe("the body of an update", () => {
  test("has the bytes that protobuf by hand gives, and reads back", () => {
    fc.assert(
      fc.property(fields, (update) => {
        const { networkId, round, sequence, previous, localSteps, sampleCount, encoding, payload, neighbours } = update;
        const bytes = encodeUpdateBody(update);
        const parts = [
          bytesOf(networkId),
          round,
          sequence,
          bytesOf(previous),
          localSteps,
          sampleCount,
          encoding,
          payload,
          neighbours ?? 0,
        ];
        expect(bytes).toEqual(protobuf(parts));
        expect(decodeUpdateBody(bytes)).toEqual(update);
      }),
    );
  });

  test.each<[string, Partial<UpdateFields>]>([
    ["a negative round", { round: -1 }],
    ["half a round", { round: 0.5 }],
    ["a round of 33 bits", { round: 2 ** 32 }],
    ["a sequence that is no number", { sequence: Number.NaN }],
    ["too many local steps", { localSteps: 1_000_001 }],
    ["too many neighbours", { neighbours: 1025 }],
    ["too many samples", { sampleCount: 1_000_000_001 }],
    ["a first update with a previous one", { sequence: 0 }],
    ["a later update without one", { previous: undefined }],
  ])("is not written with %s", (_, changes) => {
    expect(() => encodeUpdateBody({ ...EXAMPLE_UPDATE, ...changes })).toThrow(
      expect.objectContaining({ code: "FIELD_INVALID" }),
    );
  });
});

describe("a signed update", () => {
  test("is named by the hash of its envelope and read back with its author", () => {
    const { bytes, contentId } = signUpdate(EXAMPLE_UPDATE, ALICE);
    expect(contentId).toBe(contentIdOf(bytes));
    const update = { ...EXAMPLE_UPDATE, author: ALICE.peer, contentId, bytesLength: bytes.length };
    expect(readUpdate(bytes)).toEqual(update);
    expect(signUpdate(EXAMPLE_UPDATE, ALICE).bytes).toEqual(bytes);
    expect(signUpdate(EXAMPLE_UPDATE, BOB).contentId).not.toBe(contentId);
  });

  test("is announced by a note that reads back", () => {
    const { payload, encoding, previous, localSteps, sampleCount, ...shared } = readUpdate(
      signUpdate(EXAMPLE_UPDATE, ALICE).bytes,
    );
    expect(readAnnouncement(signAnnouncement(shared, ALICE))).toEqual(shared);
  });

  test.each([
    { bytesLength: 0 },
    { bytesLength: 1.5 },
    { bytesLength: 2 ** 32 },
    { round: -1 },
    { round: 2 ** 32 },
    { sequence: 0.5 },
  ])("is not announced with %j", (changes) => {
    const update = { ...readUpdate(signUpdate(EXAMPLE_UPDATE, ALICE).bytes), ...changes };
    expect(() => signAnnouncement(update, ALICE)).toThrow(expect.objectContaining({ code: "FIELD_INVALID" }));
  });
});
