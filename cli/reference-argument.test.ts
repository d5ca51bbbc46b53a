import { describe, expect, it } from "vitest";
import { formatReference, parseReference } from "./reference-argument.ts";

const PULL = { l1: 1e-3, l2: 1e-2 };

describe("reference argument", () => {
  it.each([
    ["none", { kind: "none" }],
    ["window:4", { kind: "window", size: 4, weights: "uniform", ...PULL }],
    ["window:64:linear", { kind: "window", size: 64, weights: "linear", ...PULL }],
    ["ema:0.9", { kind: "ema", decay: 0.9, ...PULL }],
    ["window:3+fisher", { kind: "window", size: 3, weights: "uniform", ...PULL, fisherDecay: 0.99 }],
    ["ema:0+fisher", { kind: "ema", decay: 0, ...PULL, fisherDecay: 0.99 }],
  ])("reads %s and writes it again", (word, settings) => {
    expect(parseReference(word)).toEqual(settings);
    expect(formatReference(parseReference(word))).toBe(word);
  });

  it.each([
    "",
    "none:1",
    "none+fisher",
    "window",
    "window:0",
    "window:65",
    "window:3:old",
    "window:3:linear:1",
    "ema",
    "ema:1",
    "ema:0.5:1",
  ])("refuses %j", (word) =>
    expect(() => parseReference(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" })),
  );

  it("offers what was meant", () => expect(() => parseReference("windwo:4")).toThrow("did you mean window?"));
});
