import { expect, it } from "vitest";
import { NETWORK_DEFAULTS, networkSettings } from "./network-options.ts";
import { formatWeights, parseWeights, sketchWarning } from "./weights-argument.ts";

it.each(["uniform", "samples", "metropolis", "similarity:0.1", "similarity:0.1+data:0.5:0.2"])(
  "reads %s and writes it again",
  (word) => {
    const weights = parseWeights(word);
    expect(formatWeights(weights === "uniform" ? undefined : weights)).toBe(word);
  },
);

it("names the nearest word", () => {
  expect(() => parseWeights("metropoli")).toThrow("did you mean metropolis?");
  expect(() => parseWeights("samples:3")).toThrow("one part too many");
  for (const word of ["similarity", "similarity:0", "similarity:x", "similarity:1:2"]) {
    expect(() => parseWeights(word), word).toThrow("needs a temperature");
  }
  expect(() => parseWeights("")).toThrow("write uniform, samples");
});

it("takes data sets into account where it is told how, and warns of what that tells", () => {
  const weights = { kind: "similarity", temperature: 0.1, data: { share: 0.5, temperature: 0.2 } } as const;
  expect(parseWeights("similarity:0.1+data:0.5:0.2")).toEqual(weights);
  expect(sketchWarning(weights)).toContain("how often each class occurs");
  expect(sketchWarning({ kind: "similarity", temperature: 0.1 })).toBeUndefined();
  for (const data of ["data", "data:0:1", "data:2:1", "data:0.5", "data:0.5:0", "data:0.5:1:1", "date:0.5:1"]) {
    expect(() => parseWeights(`similarity:0.1+${data}`), data).toThrow("data needs a share");
  }
  expect(() => parseWeights("samples+data:0.5:1")).toThrow("goes with similarity");
  expect(() => parseWeights("similarity:0.1+data:0.5:1+data:0.5:1")).toThrow("once");
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
