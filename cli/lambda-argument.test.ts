import { describe, expect, it } from "vitest";
import { formatLambda, parseLambda } from "./lambda-argument.ts";

describe("lambda argument", () => {
  it.each([
    ["search", { mode: "search" }],
    ["adaptive", { mode: "adaptive" }],
    ["fixed:0.5", { mode: "fixed", value: 0.5 }],
    ["0", { mode: "fixed", value: 0 }],
    ["fixed:1", { mode: "fixed", value: 1 }],
    ["tanh:0.8:4", { mode: "tanh", max: 0.8, kappa: 4 }],
  ])("reads %s", (word, rule) => {
    expect(parseLambda(word)).toEqual(rule);
    expect(parseLambda(formatLambda(parseLambda(word)))).toEqual(rule);
  });

  it.each([
    "",
    "serach",
    "search:1",
    "adaptive:0.5",
    "fixed",
    "fixed:",
    "fixed:1.1",
    "fixed:-0.1",
    "1.5",
    "tanh:0.5",
    "tanh:0.5:0",
    "fixed:x",
  ])("refuses %j", (word) =>
    expect(() => parseLambda(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" })),
  );

  it("offers the rule that was meant", () => expect(() => parseLambda("serach")).toThrow("did you mean search?"));
});
