import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { dropoutFeeds, keptShare } from "./dropout.ts";

const site = (path: string, rate: number) => ({ path, columns: 33, rate });
const mask = (rate: number, { path = "q", stream = "step-0" } = {}): Uint8Array =>
  dropoutFeeds([site(path, rate)], 301, createPrng(1).fork(stream))[`dropout.${path}`]!.data as Uint8Array;
const share = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("dropout masks", () => {
  it.each([0.05, 0.5, 0.95])("drop with probability %d", (rate) => {
    const values = mask(rate);
    expect(values.length).toBe(301 * 33);
    expect(new Set(values)).toEqual(new Set([0, 1]));
    // Five standard deviations of a share of 9933 draws are at most 0.025.
    expect(Math.abs(share(values) - (1 - rate))).toBeLessThan(0.025);
    expect(Math.abs(keptShare(rate) - (1 - rate))).toBeLessThan(2 ** -16);
  });

  it("keep everything at rate 0", () => {
    expect(share(mask(0))).toBe(1);
    expect(keptShare(0)).toBe(1);
  });

  it("are a function of stream and layer alone", () => {
    expect(mask(0.5)).toEqual(mask(0.5));
    expect(mask(0.5, { path: "v" })).not.toEqual(mask(0.5));
    expect(mask(0.5, { stream: "step-1" })).not.toEqual(mask(0.5));
  });
});
