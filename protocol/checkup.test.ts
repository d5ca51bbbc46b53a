import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCheckupReply, decodeCheckupRequest, encodeCheckupReply, encodeCheckupRequest } from "./checkup.ts";
import { ProtocolError } from "./errors.ts";
import { ALICE, BOB } from "./vectors/example-network.ts";

const at = (port: number, peer = ALICE.peer): string => `/ip4/192.0.2.7/tcp/${port}/p2p/${peer}`;
const code = (name: string) => expect.objectContaining({ code: name });

describe("checkups", () => {
  test("arrive as they were sent", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 4 }),
        fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        (reached, timeMs) => {
          const addresses = reached.map((_, i) => at(i + 1));
          expect(decodeCheckupRequest(encodeCheckupRequest(addresses, ALICE.peer), ALICE.peer)).toEqual(addresses);
          expect(decodeCheckupReply(encodeCheckupReply({ timeMs, reached }), reached.length)).toEqual({
            timeMs,
            reached,
          });
        },
      ),
    );
  });

  test("are about the asking peer's own addresses only", () => {
    expect(() => encodeCheckupRequest([at(1, BOB.peer)], ALICE.peer)).toThrow(code("FIELD_INVALID"));
    const request = encodeCheckupRequest([at(1)], ALICE.peer);
    expect(() => decodeCheckupRequest(request, BOB.peer)).toThrow(code("FIELD_INVALID"));
  });

  test("answer every address of the request, with a time that a clock can show", () => {
    const reply = encodeCheckupReply({ timeMs: 1, reached: [true] });
    expect(() => decodeCheckupReply(reply, 2)).toThrow(code("FIELD_INVALID"));
    const never = Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    expect(() => decodeCheckupReply(never, 0)).toThrow(code("FIELD_INVALID"));
  });

  test("arbitrary bytes are refused with a code, or are a checkup", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const read of [() => decodeCheckupRequest(bytes, ALICE.peer), () => decodeCheckupReply(bytes, 1)]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
