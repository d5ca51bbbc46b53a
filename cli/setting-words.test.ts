import { describe, expect, it } from "vitest";
import { parseManifest, type RuleSettings } from "../protocol/network-manifest.ts";
import { EXAMPLE_MANIFEST } from "../protocol/vectors/example-network.ts";
import { NETWORK_DEFAULTS, networkSettings } from "./network-options.ts";
import { AGGREGATION_WORD, LAMBDA_WORD, OPTIMIZER_WORD, REFERENCE_WORD, SCHEDULE_WORD } from "./setting-words.ts";

const WORDS = [
  ["mean", { rule: "mean" }],
  ["geometric-median", { rule: "geometric-median" }],
  ["median", { rule: "median" }],
  ["median:norm-clip", { rule: "median", normClip: true }],
  ["mean:product", { rule: "mean", factors: "product" }],
  ["median:norm-clip:aligned", { rule: "median", normClip: true, factors: "aligned" }],
  ["trimmed-mean:0.2", { rule: "trimmed-mean", trim: 0.2 }],
  ["krum:1", { rule: "krum", faulty: 1 }],
  ["multi-krum:1", { rule: "multi-krum", faulty: 1 }],
  ["multi-krum:1:3:norm-clip", { rule: "multi-krum", faulty: 1, keep: 3, normClip: true }],
  ["centred-clipping:1.0", { rule: "centred-clipping", radius: 1 }],
  ["vetted-mean", { rule: "vetted-mean" }],
  ["vetted-mean:norm-clip", { rule: "vetted-mean", normClip: true }],
  ["clipped-gossip:0.5", { rule: "clipped-gossip", radius: 0.5 }],
] as const;

const LOW_RANK = { rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" };
/** An adapter that goes with what is put together. */
const adapterFor = ({ factors }: RuleSettings): object => {
  if (factors === "product") {
    const tensors = ["A", "B"].map((letter) => ({ name: `q_proj.${letter}`, shape: [2, 2] }));
    return { adapter: { kind: "lora", ...LOW_RANK }, tensors };
  }
  return factors === "aligned" ? { adapter: { kind: "tri-lora", ...LOW_RANK, basis: "personal" } } : {};
};

describe("aggregation argument", () => {
  it.each(WORDS)("reads %s into settings that a manifest takes", (word, expected) => {
    const aggregation = AGGREGATION_WORD.parse(word);
    expect(aggregation).toEqual(expected);
    expect(AGGREGATION_WORD.parse(AGGREGATION_WORD.format(aggregation))).toEqual(aggregation);
    const settings = networkSettings({ aggregation }, NETWORK_DEFAULTS).aggregation;
    expect(settings).toEqual({ ...NETWORK_DEFAULTS.aggregation, ...expected });
    const manifest = { ...EXAMPLE_MANIFEST, ...adapterFor(aggregation), aggregation: settings };
    expect(parseManifest(manifest).aggregation).toEqual(settings);
  });

  it("leaves nothing of the default rule beside another one", () => {
    const defaults = {
      ...NETWORK_DEFAULTS,
      aggregation: { ...NETWORK_DEFAULTS.aggregation, ...AGGREGATION_WORD.parse("krum:2") },
    };
    expect(networkSettings({ aggregation: { rule: "mean" } }, defaults).aggregation).not.toHaveProperty("faulty");
    expect(networkSettings({}, defaults).aggregation).toHaveProperty("faulty", 2);
  });

  it.each([
    ["", "is not one of them; write mean"],
    ["medain", "did you mean median?"],
    ["mean:1", '"1" is unknown; mean takes norm-clip, product, aligned; write mean[:norm-clip]'],
    ["trimmed-mean", "trimmed-mean needs the share of the values"],
    ["trimmed-mean:norm-clip", "trimmed-mean needs the share of the values"],
    ["trimmed-mean:0.5", '"0.5" is not a number from 0.001 to 0.499: the share'],
    ["trimmed-mean:", '"" is not a number from 0.001 to 0.499: the share'],
    ["krum:0", '"0" is not an integer from 1 to 1024: the neighbours that may lie'],
    ["krum:1:2", '"2" is unknown; krum takes norm-clip'],
    ["multi-krum:1:1.5", '"1.5" is not an integer from 1 to 1024: the neighbours that are averaged'],
    ["multi-krum:1025", '"1025" is not an integer from 1 to 1024: the neighbours that may lie'],
    ["clipped-gossip:0", '"0" is not a number above 0 and at most 1000000: the longest way'],
    ["centred-clipping:Infinity", '"Infinity" is not a number above 0 and at most 1000000: the longest way'],
    ["median:norm-clip:norm-clip", '"norm-clip" is one part too many'],
  ])("refuses %j: %s", (word, line) => {
    expect(() => AGGREGATION_WORD.parse(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => AGGREGATION_WORD.parse(word)).toThrow(line);
  });
});

describe("lambda argument", () => {
  it.each([
    ["search", { mode: "search" }],
    ["adaptive", { mode: "adaptive" }],
    ["fixed:0.5", { mode: "fixed", value: 0.5 }],
    ["0", { mode: "fixed", value: 0 }],
    ["fixed:1", { mode: "fixed", value: 1 }],
    ["tanh:0.8:4", { mode: "tanh", max: 0.8, kappa: 4 }],
  ])("reads %s", (word, rule) => {
    expect(LAMBDA_WORD.parse(word)).toEqual(rule);
    expect(LAMBDA_WORD.parse(LAMBDA_WORD.format(LAMBDA_WORD.parse(word)))).toEqual(rule);
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
    expect(() => LAMBDA_WORD.parse(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" })),
  );

  it("offers the rule that was meant", () => expect(() => LAMBDA_WORD.parse("serach")).toThrow("did you mean search?"));
});

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
    expect(REFERENCE_WORD.parse(word)).toEqual(settings);
    expect(REFERENCE_WORD.format(REFERENCE_WORD.parse(word))).toBe(word);
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
    expect(() => REFERENCE_WORD.parse(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" })),
  );

  it("offers what was meant", () => expect(() => REFERENCE_WORD.parse("windwo:4")).toThrow("did you mean window?"));
});

const refused = expect.objectContaining({ code: "CONFIG_INVALID" });

describe("optimizer argument", () => {
  it.each([
    ["adamw", { optimizer: "adamw" }],
    ["sgd", { optimizer: "sgd" }],
    ["sgd:0.9", { optimizer: "sgd", momentum: 0.9 }],
    ["sgd:0", { optimizer: "sgd", momentum: 0 }],
  ])("reads %s", (word, expected) => {
    expect(OPTIMIZER_WORD.parse(word)).toEqual(expected);
    expect(OPTIMIZER_WORD.format(OPTIMIZER_WORD.parse(word))).toBe(word);
  });

  it.each(["", "adam", "adamw:0.9", "sgd:", "sgd:1", "sgd:-0.1", "sgd:x", "sgd:0.9:1"])("refuses %j", (word) =>
    expect(() => OPTIMIZER_WORD.parse(word)).toThrow(refused),
  );

  it("offers the one that was meant", () => expect(() => OPTIMIZER_WORD.parse("sdg")).toThrow("did you mean sgd?"));
});

describe("schedule argument", () => {
  it.each([
    ["constant", { kind: "constant", warmupSteps: 0 }],
    ["linear", { kind: "linear", warmupSteps: 0 }],
    ["cosine:10", { kind: "cosine", warmupSteps: 10 }],
  ])("reads %s", (word, expected) => {
    expect(SCHEDULE_WORD.parse(word)).toEqual(expected);
    expect(SCHEDULE_WORD.format(SCHEDULE_WORD.parse(word))).toBe(word);
  });

  it.each(["", "cosinus:", "linear:", "linear:1.5", "linear:-1", "linear:x", "cosine:1:2", "step"])(
    "refuses %j",
    (word) => expect(() => SCHEDULE_WORD.parse(word)).toThrow(refused),
  );

  it("offers the one that was meant", () => expect(() => SCHEDULE_WORD.parse("cosin")).toThrow("did you mean cosine?"));
});
