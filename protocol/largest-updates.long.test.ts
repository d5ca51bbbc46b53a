/** The limits whose filling takes seconds: the largest payload, and the most values of an adapter. The others are in limits.test.ts. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { decodeUpdate, encodeUpdate } from "./encoding/update-payload.ts";
import { code, LARGEST_LIMITS, limitsOfThisFile } from "./limits.suite.ts";
import { LIMITS } from "./limits.ts";
import { opensslSigner, opensslVerify } from "./membership/openssl.suite.ts";
import { createPrng } from "./prng.ts";
import { signUpdate } from "./update.ts";
import { EXAMPLE_CONTEXT, EXAMPLE_UPDATE } from "./vectors/example-network.ts";
import { judgeUpdate } from "./verdict.ts";

const { filled, fills } = limitsOfThisFile();

describe("updates", () => {
  fills(["updatePayloadBytesMax", "updateBytesMax"], () => {
    // Zeros, which are values like any others and cost nothing to write down.
    const payload = new Uint8Array(LIMITS.updatePayloadBytesMax);
    // 64 MiB take JavaScript five seconds.
    const createSha256 = () => createHash("sha256");
    const { bytes } = signUpdate({ ...EXAMPLE_UPDATE, sequence: 0xffff_ffff, payload }, opensslSigner(2), createSha256);
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.updateBytesMax);
    const tensors = [{ name: "all", shape: [payload.length / 4] }];
    const context = { ...EXAMPLE_CONTEXT, tensors, verify: opensslVerify, createSha256 };
    expect(judgeUpdate(bytes, context).code).toBe("ACCEPTED");
    expect(judgeUpdate(new Uint8Array(LIMITS.updateBytesMax + 1), EXAMPLE_CONTEXT).code).toBe("TOO_LARGE");
  });

  fills(["parameterCountMax"], () => {
    const rules = (places: number) => ({
      tensors: [{ name: "all", shape: [places] }],
      encoding: { values: "int8", topK: { share: 0.0001, keyframeEvery: 2 } } as const,
    });
    const places = LIMITS.parameterCountMax;
    const previous = new Float32Array(places);
    const values = previous.slice().fill(3, places - 9);
    const update = encodeUpdate(values, { ...rules(places), sequence: 1, previous, prng: createPrng(0) });
    expect(update.payload.length).toBeLessThan(places / 1000);
    expect(decodeUpdate({ ...update, sequence: 1 }, { ...rules(places), previous }).at(-9)).toBeCloseTo(3, 1);
    const more = { ...rules(places + 1), sequence: 1, prng: createPrng(0) };
    expect(() => encodeUpdate(new Float32Array(places + 1), more)).toThrow(code("TOO_LARGE"));
  });

  test("are filled here as far as limits.test.ts leaves them out", () => {
    expect([...filled].sort()).toEqual([...LARGEST_LIMITS].sort());
  });
});
