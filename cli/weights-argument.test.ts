import { expect, it } from "vitest";
import { NETWORK_DEFAULTS, networkSettings } from "./network-options.ts";
import { formatWeights, parseWeights } from "./weights-argument.ts";

it.each(["uniform", "samples", "metropolis", "similarity:0.1"])("reads %s and writes it again", (word) => {
  const weights = parseWeights(word);
  expect(formatWeights(weights === "uniform" ? undefined : weights)).toBe(word);
});

it("names the nearest word", () => {
  expect(() => parseWeights("metropoli")).toThrow("did you mean metropolis?");
  expect(() => parseWeights("samples:3")).toThrow("one part too many");
  for (const word of ["similarity", "similarity:0", "similarity:x", "similarity:1:2"]) {
    expect(() => parseWeights(word), word).toThrow("needs a temperature");
  }
  expect(() => parseWeights("")).toThrow("write uniform, samples");
});

it("leaves out of the settings what is the same without", () => {
  expect(networkSettings({ neighbourWeights: "uniform" }, NETWORK_DEFAULTS).aggregation).toEqual(
    NETWORK_DEFAULTS.aggregation,
  );
  const { aggregation } = networkSettings(
    { neighbourWeights: { kind: "samples" }, sample: 8, aggregation: { rule: "mean" } },
    NETWORK_DEFAULTS,
  );
  expect(aggregation).toMatchObject({ rule: "mean", weights: { kind: "samples" }, sample: 8 });
});
