import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAddresses, encodeAddresses, peerIdOfAddress } from "./addresses.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type PeerId, peerIdFromPublicKey } from "./peer-id.ts";
import { ALICE } from "./vectors/example-network.ts";

const peer = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(peerIdFromPublicKey);
const address = fc
  .tuple(fc.ipV4(), fc.nat({ max: 65_535 }), peer)
  .map(([host, port, id]) => `/ip4/${host}/tcp/${port}/p2p/${id}`);

describe("addresses", () => {
  test("arrive as they were sent", () => {
    fc.assert(
      fc.property(fc.uniqueArray(address, { maxLength: LIMITS.addressesCountMax }), (sent) => {
        expect(decodeAddresses(encodeAddresses(sent))).toEqual(sent);
      }),
      { numRuns: 30 },
    );
  });

  test("name the peer they lead to", () => {
    fc.assert(
      fc.property(address, (text) => {
        expect(text.endsWith(`/p2p/${peerIdOfAddress(text)}`)).toBe(true);
      }),
    );
    expect(peerIdOfAddress(`/ip4/192.0.2.7/tcp/1/p2p/${ALICE.peer}/p2p-circuit`)).toBeUndefined();
  });

  test("what is no address is not sent", () => {
    expect(() => encodeAddresses(["/ip4/127.0.0.1/tcp/1"])).toThrow(expect.objectContaining({ code: "FIELD_INVALID" }));
  });

  test("arbitrary bytes are refused with a code, or give addresses within all bounds", () => {
    const valid = encodeAddresses([1, 2, 3].map((port) => `/ip4/192.0.2.7/tcp/${port}/p2p/${ALICE.peer}`));
    const bent = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }).map((changes) => {
      const bytes = valid.slice();
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), bent), (bytes) => {
        let taken: readonly string[];
        try {
          taken = decodeAddresses(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          outcomes.add((error as ProtocolError).code);
          return;
        }
        const counts = new Map<PeerId, number>();
        for (const text of taken) {
          const id = peerIdOfAddress(text);
          expect(id, text).toBeDefined();
          if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        expect(Math.max(0, ...counts.values())).toBeLessThanOrEqual(LIMITS.addressesPerPeerMax);
        // What was taken can be passed on.
        expect(decodeAddresses(encodeAddresses(taken))).toEqual(taken);
        outcomes.add(taken.length > 0 ? "taken" : "nothing");
      }),
      { numRuns: 500 },
    );
    expect([...outcomes]).toEqual(expect.arrayContaining(["taken", "MALFORMED"]));
  });
});
