import fc from "fast-check";
import { pipe } from "it-pipe";
import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../protocol/frame.ts";
import { bounded, cut, oneFrame, PIECE_BYTES_MAX } from "./byte-pipeline.ts";

const BYTES_MAX = 64;

/** `bytes` in pieces that end at the given places. */
function pieces(bytes: Uint8Array, ends: readonly number[]): Uint8Array[] {
  const at = [0, ...ends.map((end) => end % (bytes.byteLength + 1)).sort((a, b) => a - b), bytes.byteLength];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe("byte pipelines", () => {
  it("put one frame together, however it was cut", async () => {
    const message = fc.uint8Array({ maxLength: BYTES_MAX });
    await fc.assert(
      fc.asyncProperty(message, fc.array(fc.nat()), async (bytes, ends) => {
        expect(await pipe(pieces(encodeFrame(bytes), ends), oneFrame(BYTES_MAX))).toEqual(bytes);
      }),
    );
  });

  it("refuse a frame that ends early or goes on", async () => {
    const frame = encodeFrame(new Uint8Array(8));
    for (let length = 0; length < frame.byteLength; length++) {
      await expect(pipe([frame.subarray(0, length)], oneFrame(BYTES_MAX)), `${length} bytes`).rejects.toMatchObject({
        code: "FRAME_INVALID",
      });
    }
    await expect(pipe([frame, Uint8Array.of(0)], oneFrame(BYTES_MAX))).rejects.toMatchObject({ code: "FRAME_INVALID" });
  });

  it("refuse a frame above the bound as soon as its length is known, and take one at the bound", async () => {
    let taken = 0;
    const endless = (function* () {
      yield Uint8Array.of(0, 0, 0, BYTES_MAX + 1);
      for (;;) {
        taken++;
        yield new Uint8Array(1);
      }
    })();
    await expect(pipe(endless, oneFrame(BYTES_MAX))).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect(taken).toBe(0);
    const full = new Uint8Array(BYTES_MAX).fill(3);
    expect(await pipe([encodeFrame(full)], oneFrame(BYTES_MAX))).toEqual(full);
  });

  it("cut large writes into pieces and change nothing", async () => {
    const bytes = Uint8Array.from({ length: 3 * PIECE_BYTES_MAX + 5 }, (_, i) => i & 0xff);
    const parts: Uint8Array[] = [];
    for await (const part of cut([bytes, new Uint8Array(0)])) parts.push(part);
    expect(parts.map((part) => part.byteLength)).toEqual([PIECE_BYTES_MAX, PIECE_BYTES_MAX, PIECE_BYTES_MAX, 5]);
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(bytes);
  });

  it("let the bound pass and not one byte more", async () => {
    const count = async (source: AsyncIterable<Uint8Array>): Promise<number> => {
      let total = 0;
      for await (const part of source) total += part.byteLength;
      return total;
    };
    expect(await pipe([new Uint8Array(3), new Uint8Array(2)], bounded(5), count)).toBe(5);
    await expect(pipe([new Uint8Array(3), new Uint8Array(3)], bounded(5), count)).rejects.toMatchObject({
      code: "FRAME_INVALID",
    });
  });
});
