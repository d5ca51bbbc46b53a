import { describe, expect, it } from "vitest";
import { formatOptimizer, formatSchedule, parseOptimizer, parseSchedule } from "./training-argument.ts";

const refused = expect.objectContaining({ code: "CONFIG_INVALID" });

describe("optimizer argument", () => {
  it.each([
    ["adamw", { optimizer: "adamw" }],
    ["sgd", { optimizer: "sgd" }],
    ["sgd:0.9", { optimizer: "sgd", momentum: 0.9 }],
    ["sgd:0", { optimizer: "sgd", momentum: 0 }],
  ])("reads %s", (word, expected) => {
    expect(parseOptimizer(word)).toEqual(expected);
    expect(formatOptimizer(parseOptimizer(word))).toBe(word);
  });

  it.each(["", "adam", "adamw:0.9", "sgd:", "sgd:1", "sgd:-0.1", "sgd:x", "sgd:0.9:1"])("refuses %j", (word) =>
    expect(() => parseOptimizer(word)).toThrow(refused),
  );

  it("offers the one that was meant", () => expect(() => parseOptimizer("sdg")).toThrow("did you mean sgd?"));
});

describe("schedule argument", () => {
  it.each([
    ["constant", { kind: "constant", warmupSteps: 0 }],
    ["linear", { kind: "linear", warmupSteps: 0 }],
    ["cosine:10", { kind: "cosine", warmupSteps: 10 }],
  ])("reads %s", (word, expected) => {
    expect(parseSchedule(word)).toEqual(expected);
    expect(formatSchedule(parseSchedule(word))).toBe(word);
  });

  it.each(["", "cosinus:", "linear:", "linear:1.5", "linear:-1", "linear:x", "cosine:1:2", "step"])(
    "refuses %j",
    (word) => expect(() => parseSchedule(word)).toThrow(refused),
  );

  it("offers the one that was meant", () => expect(() => parseSchedule("cosin")).toThrow("did you mean cosine?"));
});
