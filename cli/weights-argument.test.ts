import { expect, it } from "vitest";
import { NETWORK_DEFAULTS, networkSettings } from "./network-options.ts";
import { formatWeights, parseWeights, sketchWarning } from "./weights-argument.ts";

it.each([
  "uniform",
  "samples",
  "metropolis",
  "score:0.1",
  "similarity:0.1",
  "similarity:0.1+data:0.5:0.2",
  "similarity:0.1:self",
  "similarity:0.1:self+data:0.5:0.2",
])("reads %s and writes it again", (word) => {
  const weights = parseWeights(word);
  expect(formatWeights(weights === "uniform" ? undefined : weights)).toBe(word);
});

it("names the nearest word", () => {
  expect(() => parseWeights("metropoli")).toThrow("did you mean metropolis?");
  expect(() => parseWeights("samples:3")).toThrow("one part too many");
  expect(() => parseWeights("similarity")).toThrow("similarity needs the temperature of the softmax");
  for (const text of ["0", "x", "1001"]) {
    const problem = `"${text}" is not a number above 0 and at most 1000: the temperature`;
    expect(() => parseWeights(`similarity:${text}`), text).toThrow(problem);
  }
  expect(() => parseWeights("similarity:1:2")).toThrow('"2" is unknown; similarity takes +data:0.5:0.3');
  expect(() => parseWeights("")).toThrow("write uniform, samples");
});

it("takes data sets into account where it is told how, and warns of what that tells", () => {
  const weights = { kind: "similarity", temperature: 0.1, data: { share: 0.5, temperature: 0.2 } } as const;
  expect(parseWeights("similarity:0.1+data:0.5:0.2")).toEqual(weights);
  expect(sketchWarning(weights)).toContain("how often each class occurs");
  expect(sketchWarning({ kind: "similarity", temperature: 0.1 })).toBeUndefined();
  for (const data of ["", "0:1", "2:1", "0.5", "0.5:0", "0.5:1:1"]) {
    const problem = `"${data}" is not share and temperature: how much the data sets count`;
    expect(() => parseWeights(`similarity:0.1+data${data === "" ? "" : `:${data}`}`), data).toThrow(problem);
  }
  expect(() => parseWeights("similarity:0.1+date:0.5:1")).toThrow("is unknown; similarity takes +data:0.5:0.3");
  expect(() => parseWeights("samples+data:0.5:1")).toThrow('"+data:0.5:1" is one part too many');
  expect(() => parseWeights("similarity:0.1+data:0.5:1+data:0.5:1")).toThrow("one part too many");
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

it("weighs the peer itself among the others in every new network that asks for similarity", () => {
  const { aggregation } = networkSettings(
    { neighbourWeights: parseWeights("similarity:0.1") as never },
    NETWORK_DEFAULTS,
  );
  expect(aggregation.weights).toEqual({ kind: "similarity", temperature: 0.1, self: true });
});
