import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { answerHello, decodeReply, encodeHello, explainReply, HANDSHAKE_CODES, type Reply } from "./handshake.ts";
import { canonicalManifestBytes, type NetworkManifest, networkId } from "./network-manifest.ts";
import { ALICE, EXAMPLE_MANIFEST } from "./vectors/example-network.ts";

const context = { manifest: EXAMPLE_MANIFEST, isMember: () => true, busy: false };
const withRate = (learningRate: number): NetworkManifest => ({
  ...EXAMPLE_MANIFEST,
  training: { ...EXAMPLE_MANIFEST.training, learningRate },
});

describe("the handshake", () => {
  test("welcomes a peer of the same network", () => {
    const { code, reply } = answerHello(encodeHello(EXAMPLE_MANIFEST), ALICE.peer, context);
    expect(code).toBe("WELCOME");
    expect(explainReply(decodeReply(reply), EXAMPLE_MANIFEST)).toBeUndefined();
  });

  test("names the differing field on both sides", () => {
    const { code, difference, reply } = answerHello(encodeHello(withRate(0.5)), ALICE.peer, context);
    expect(code).toBe("NETWORK");
    expect(difference).toEqual({ path: "training.learningRate", a: "0.002", b: "0.5" });
    expect(explainReply(decodeReply(reply), withRate(0.5))).toBe(
      "the peer is in another network: training.learningRate is 0.002 there and 0.5 here",
    );
  });

  test("does not believe a welcome into another network", () => {
    const { reply } = answerHello(encodeHello(EXAMPLE_MANIFEST), ALICE.peer, context);
    expect(explainReply(decodeReply(reply), withRate(0.5))).toContain("another network");
    expect(explainReply({ ...decodeReply(reply), protocolVersion: 2 }, EXAMPLE_MANIFEST)).toContain("version");
  });

  test("every refusal has a line of its own", () => {
    const some = { features: ["core"], missing: ["core"] };
    const lines = (Object.keys(HANDSHAKE_CODES) as Reply["code"][])
      .filter((code) => code !== "WELCOME")
      .map((code) =>
        explainReply(
          { code, protocolVersion: 2, networkId: networkId(withRate(1)), manifest: withRate(1), heads: [], ...some },
          EXAMPLE_MANIFEST,
        ),
      );
    expect(new Set(lines).size).toBe(9);
    for (const line of lines) expect(line).toMatch(/^[ -~]+$/);
  });

  test("a long difference is shortened", () => {
    const other = { ...EXAMPLE_MANIFEST, bootstrap: [`/dns4/${"a".repeat(200)}/tcp/1`] };
    const { reply } = answerHello(encodeHello(EXAMPLE_MANIFEST), ALICE.peer, { ...context, manifest: other });
    expect(explainReply(decodeReply(reply), EXAMPLE_MANIFEST)?.length).toBeLessThan(250);
  });

  test("arbitrary bytes are answered, never thrown at", () => {
    const codes = new Set<string>();
    const mutated = fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => {
      const bytes = encodeHello(EXAMPLE_MANIFEST);
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        const { code, reply } = answerHello(bytes, ALICE.peer, context);
        expect(decodeReply(reply).code).toBe(code);
        codes.add(code);
      }),
    );
    expect([...codes]).toContain("MALFORMED");
  });

  test("a bug of the caller is not hidden", () => {
    const broken = () => {
      throw new Error("roster unreadable");
    };
    expect(() => answerHello(encodeHello(EXAMPLE_MANIFEST), ALICE.peer, { ...context, isMember: broken })).toThrow(
      "roster unreadable",
    );
  });
});

describe("frames", () => {
  test("come out as they went in, however the bytes are cut", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 9 }), (sent, cut) => {
        const wire = Buffer.concat(sent.map(encodeFrame));
        const received: Uint8Array[] = [];
        let buffer: Uint8Array = new Uint8Array();
        for (let at = 0; at < wire.length; at += cut) {
          buffer = Buffer.concat([buffer, wire.subarray(at, at + cut)]);
          for (let frame = decodeFrame(buffer, 40); frame !== undefined; frame = decodeFrame(buffer, 40)) {
            received.push(Uint8Array.from(frame.message));
            buffer = frame.rest;
          }
        }
        expect(received).toEqual(sent);
        expect(buffer.length).toBe(0);
      }),
    );
  });

  test("too long a frame is refused from its header alone", () => {
    const header = encodeFrame(new Uint8Array(41)).subarray(0, 4);
    expect(() => decodeFrame(header, 40)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    expect(decodeFrame(header, 41)).toBeUndefined();
  });
});

test("canonical manifests of equal networks are equal bytes", () => {
  expect(canonicalManifestBytes(withRate(0.002))).toEqual(canonicalManifestBytes(EXAMPLE_MANIFEST));
});
