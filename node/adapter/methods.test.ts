import { describe, expect, it } from "vitest";
import type { AdapterSettings, LowRankSettings, ReftSettings } from "../../protocol/adapter-spec.ts";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import type { ModelShape } from "../model/base-model.ts";
import { describeMethod } from "./method.suite.ts";
import { adapterMethod } from "./methods.ts";
import { HIDDEN, LAYERS, smallLlama } from "./small-llama.suite.ts";

const UNTIED = { first: 2, last: 1, tied: false };
const TIED = { first: 2, last: 1, tied: true };
const reft = { rank: 2, layers: "all", positions: UNTIED } as const;
const lowRank = { rank: 2, alpha: 3, targets: ["q_proj", "down_proj"], layers: "all" } as const;

const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
const UNTIED_SITES = layers.flatMap((layer) => [`layers.${layer}.prefix`, `layers.${layer}.suffix`]);
const LAYER_SITES = layers.map((layer) => `layers.${layer}`);
const LINEAR_SITES = layers.flatMap((layer) => [
  `model.layers.${layer}.self_attn.q_proj`,
  `model.layers.${layer}.mlp.down_proj`,
]);
const named = (sites: readonly string[], letters: string): string[] =>
  sites.flatMap((site) => letters.split(" ").map((letter) => `${site}.${letter}`));

describeMethod("lora", {
  settings: { kind: "lora", ...lowRank },
  sent: named(LINEAR_SITES, "A B"),
  moves: [".B"],
  bits: "6b129dd74b230c1d",
});
describeMethod("lora with the scale of rsLoRA and dropout", {
  settings: { kind: "lora", ...lowRank, targets: ["q_proj"], scale: "rslora", dropout: 0.25 },
  sent: named([LINEAR_SITES[0]!, LINEAR_SITES[2]!], "A B"),
  moves: [".B"],
  bits: "828829fd9b79d8a8",
});
describeMethod("lora with biases", {
  settings: { kind: "lora", ...lowRank, bias: "trained" },
  sent: named(LINEAR_SITES, "A B b"),
  moves: [".B", ".b"],
  bits: "55d940b31392b73b",
});
describeMethod("dora", {
  settings: { kind: "dora", ...lowRank },
  sent: named(LINEAR_SITES, "A B m"),
  moves: [".B", ".m"],
  held: [".A", ".B"],
  bits: "9437f466948800ab",
});
describeMethod("dora with the scale of rsLoRA and dropout", {
  settings: { kind: "dora", ...lowRank, targets: ["q_proj"], scale: "rslora", dropout: 0.25 },
  sent: named([LINEAR_SITES[0]!, LINEAR_SITES[2]!], "A B m"),
  moves: [".B", ".m"],
  held: [".A", ".B"],
  bits: "54fdff28b9e553af",
});
describeMethod("ffa-lora", {
  settings: { kind: "ffa-lora", ...lowRank },
  sent: named(LINEAR_SITES, "B"),
  frozen: named(LINEAR_SITES, "A"),
  moves: [".B"],
  bits: "ab0bab401ad4b308",
});
describeMethod("tri-lora, basis shared", {
  settings: { kind: "tri-lora", ...lowRank, basis: "shared" },
  sent: named(LINEAR_SITES, "C"),
  frozen: named(LINEAR_SITES, "A B"),
  moves: [".C"],
  bits: "22cdcc10be8af6b0",
});
describeMethod("tri-lora, basis personal", {
  settings: { kind: "tri-lora", ...lowRank, layers: [1], basis: "personal" },
  sent: named(LINEAR_SITES.slice(2), "C"),
  kept: named(LINEAR_SITES.slice(2), "A B"),
  moves: [".B"],
  bits: "aeee858f54cfb36c",
});
// The prefix of the last layer is left out: nothing reads it, so it has no gradient.
describeMethod("loreft, untied, layer 0", {
  settings: { kind: "loreft", ...reft, layers: [0] },
  sent: named(UNTIED_SITES.slice(0, 2), "R W b"),
  moves: [".R", ".W", ".b"],
  bits: "8e184a3490273f4a",
});
describeMethod("loreft, rotation frozen, tied, layer 1", {
  settings: { kind: "loreft", ...reft, layers: [1], positions: TIED, rotation: "frozen" },
  sent: named(["layers.1"], "W b"),
  frozen: ["layers.1.R"],
  moves: [".W", ".b"],
  bits: "6d6b8ec2ccbd6414",
});
describeMethod("noreft, every position", {
  settings: { kind: "noreft", ...reft, positions: "all" },
  sent: named(LAYER_SITES, "W1 W2 b"),
  moves: [".W1", ".W2", ".b"],
  bits: "f578b495df0bb2c5",
});
describeMethod("direft, suffix only", {
  settings: { kind: "direft", ...reft, positions: { first: 0, last: 2, tied: false } },
  sent: named(["layers.0.suffix", "layers.1.suffix"], "R W b"),
  moves: [".W", ".b"],
  bits: "d3ce919d02d43b7d",
});
describeMethod("nodireft, tied", {
  settings: { kind: "nodireft", ...reft, positions: TIED },
  sent: named(LAYER_SITES, "W1 W2 b"),
  moves: [".W1", ".b"],
  bits: "5fe65f76e2675116",
});
describeMethod("a combination of ffa-lora with dropout and direft", {
  settings: {
    kind: "combination",
    lora: { kind: "ffa-lora", ...lowRank, targets: ["q_proj"], dropout: 0.5 },
    reft: { kind: "direft", ...reft, layers: [0], rotation: "frozen" },
  },
  sent: [...named([LINEAR_SITES[0]!, LINEAR_SITES[2]!], "B"), ...named(UNTIED_SITES.slice(0, 2), "W b")],
  frozen: [...named([LINEAR_SITES[0]!, LINEAR_SITES[2]!], "A"), ...named(UNTIED_SITES.slice(0, 2), "R")],
  moves: [".B", ".W", ".b"],
  bits: "22c443ec8e71848d",
});

describe("published counts of values", () => {
  const wide = (count: number, hidden: number): ModelShape => ({
    layers: count,
    hidden,
    vocabulary: 128_256,
    contextTokens: 8192,
    linears: Array.from({ length: count }, (_, layer) => ({
      path: `model.layers.${layer}.self_attn.q_proj`,
      layer,
      inputs: hidden,
      outputs: hidden,
    })),
  });
  const count = (settings: AdapterSettings, model: ModelShape): number =>
    parameterCount(adapterMethod(settings).sent(settings, model));
  const loreft = (rank: number): ReftSettings => ({
    kind: "loreft",
    rank,
    layers: "all",
    positions: { first: 7, last: 7, tied: false },
  });

  it.each([
    { model: "Llama-3.2-3B", shape: wide(28, 3072), rank: 8, values: 2_752_960 },
    { model: "Llama-3.2-3B", shape: wide(28, 3072), rank: 32, values: 11_011_840 },
    { model: "Llama-3-8B", shape: wide(32, 4096), rank: 8, values: 4_194_816 },
  ])("LoReFT on $model at rank $rank, untied: $values", ({ shape, rank, values }) => {
    expect(count(loreft(rank), shape)).toBe(values);
  });

  it.each([
    { hidden: 768, fewer: 192 },
    { hidden: 4096, fewer: 1024 },
  ])("C alone is $fewer times less than LoRA at hidden size $hidden and rank 8", ({ hidden, fewer }) => {
    const fields = { rank: 8, alpha: 16, targets: ["q_proj"], layers: "all" } as const;
    const shape = wide(12, hidden);
    const lora = count({ kind: "lora", ...fields }, shape);
    for (const basis of ["shared", "personal"] as const) {
      expect(lora / count({ kind: "tri-lora", ...fields, basis }, shape)).toBe(fewer);
    }
    expect(lora / count({ kind: "ffa-lora", ...fields }, shape)).toBe(2);
  });
});

describe("settings that do not fit the model", () => {
  const shape = smallLlama().shape;
  const q: LowRankSettings = { kind: "lora", ...lowRank, targets: ["q_proj"] };
  const rows: readonly (readonly [string, AdapterSettings, string])[] = [
    ["a layer the model lacks", { kind: "noreft", ...reft, layers: [0, 2] }, "layers 0 to 1"],
    ["a rank above the width", { kind: "nodireft", ...reft, rank: HIDDEN + 1 }, "hidden size 16"],
    ["no position", { kind: "direft", ...reft, positions: { first: 0, last: 0, tied: true } }, "needs a position"],
    ["a linear layer the model lacks", { kind: "ffa-lora", ...lowRank, targets: ["c_attn"] }, "it has q_proj"],
    [
      "a basis larger than a layer",
      { kind: "tri-lora", ...lowRank, rank: HIDDEN + 1, basis: "shared" },
      "choose at most 16",
    ],
    [
      "a wrong half of a combination",
      { kind: "combination", lora: q, reft: { kind: "loreft", ...reft, layers: [7] } },
      "adapter layer 7",
    ],
  ];
  it.each(rows)("refuses %s", (_, settings, text) => {
    const tensors = () => adapterMethod(settings).tensors(settings, shape);
    expect(tensors).toThrow(expect.objectContaining({ code: "ADAPTER_SETTINGS" }));
    expect(tensors).toThrow(text);
  });
});
