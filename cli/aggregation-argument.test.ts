import { describe, expect, it } from "vitest";
import { parseManifest } from "../protocol/network-manifest.ts";
import { EXAMPLE_MANIFEST } from "../protocol/vectors/example-network.ts";
import { type AggregationRule, formatAggregation, parseAggregation } from "./aggregation-argument.ts";
import { NETWORK_DEFAULTS, networkSettings } from "./network-options.ts";

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
  ["clipped-gossip:0.5", { rule: "clipped-gossip", radius: 0.5 }],
] as const;

const LOW_RANK = { rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" };
/** An adapter that goes with what is put together. */
const adapterFor = ({ factors }: AggregationRule): object => {
  if (factors === "product") {
    const tensors = ["A", "B"].map((letter) => ({ name: `q_proj.${letter}`, shape: [2, 2] }));
    return { adapter: { kind: "lora", ...LOW_RANK }, tensors };
  }
  return factors === "aligned" ? { adapter: { kind: "tri-lora", ...LOW_RANK, basis: "personal" } } : {};
};

describe("aggregation argument", () => {
  it.each(WORDS)("reads %s into settings that a manifest takes", (word, expected) => {
    const aggregation = parseAggregation(word);
    expect(aggregation).toEqual(expected);
    expect(parseAggregation(formatAggregation(aggregation))).toEqual(aggregation);
    const settings = networkSettings({ aggregation }, NETWORK_DEFAULTS).aggregation;
    expect(settings).toEqual({ ...NETWORK_DEFAULTS.aggregation, ...expected });
    const manifest = { ...EXAMPLE_MANIFEST, ...adapterFor(aggregation), aggregation: settings };
    expect(parseManifest(manifest).aggregation).toEqual(settings);
  });

  it("leaves nothing of the default rule beside another one", () => {
    const defaults = {
      ...NETWORK_DEFAULTS,
      aggregation: { ...NETWORK_DEFAULTS.aggregation, ...parseAggregation("krum:2") },
    };
    expect(networkSettings({ aggregation: { rule: "mean" } }, defaults).aggregation).not.toHaveProperty("faulty");
    expect(networkSettings({}, defaults).aggregation).toHaveProperty("faulty", 2);
  });

  it.each([
    ["", "not a rule"],
    ["medain", "did you mean median?"],
    ["mean:1", '"1" is one part too many'],
    ["trimmed-mean", "trimmed-mean needs a share"],
    ["trimmed-mean:norm-clip", "trimmed-mean needs a share"],
    ["trimmed-mean:0.5", '"0.5" is not a share'],
    ["trimmed-mean:", '"" is not a share'],
    ["krum:0", '"0" is not the neighbours that may lie'],
    ["krum:1:2", '"2" is one part too many'],
    ["multi-krum:1:1.5", '"1.5" is not the neighbours to average'],
    ["multi-krum:1025", '"1025" is not the neighbours that may lie'],
    ["clipped-gossip:0", '"0" is not a radius'],
    ["centred-clipping:Infinity", '"Infinity" is not a radius'],
    ["median:norm-clip:norm-clip", '"norm-clip" is one part too many'],
  ])("refuses %j: %s", (word, line) => {
    expect(() => parseAggregation(word)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => parseAggregation(word)).toThrow(line);
  });
});
