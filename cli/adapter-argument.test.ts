import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../protocol/adapter-spec.ts";
import { formatAdapter, parseAdapter } from "./adapter-argument.ts";

describe("adapter argument", () => {
  it.each<[string, AdapterSettings]>([
    ["loreft:r4:f7+l7", { kind: "loreft", rank: 4, layers: "all", positions: { first: 7, last: 7, tied: false } }],
    ["loreft:r1:l3:tied", { kind: "loreft", rank: 1, layers: "all", positions: { first: 0, last: 3, tied: true } }],
    [
      "loreft:r2:f1:layers=0,3",
      { kind: "loreft", rank: 2, layers: [0, 3], positions: { first: 1, last: 0, tied: false } },
    ],
    ["lora:r8:q_proj,v_proj", { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" }],
    ["lora:r8:c_attn:alpha4:layers=all", { kind: "lora", rank: 8, alpha: 4, targets: ["c_attn"], layers: "all" }],
    ["loreft:r4:all:frozen", { kind: "loreft", rank: 4, layers: "all", positions: "all", rotation: "frozen" }],
    ["noreft:r4:f2", { kind: "noreft", rank: 4, layers: "all", positions: { first: 2, last: 0, tied: false } }],
    [
      "direft:r4:f2+l2:frozen:tied",
      {
        kind: "direft",
        rank: 4,
        layers: "all",
        positions: { first: 2, last: 2, tied: true },
        rotation: "frozen",
      },
    ],
    [
      "lora:r4:q_proj:rslora:dropout0.1",
      { kind: "lora", rank: 4, alpha: 8, targets: ["q_proj"], layers: "all", scale: "rslora", dropout: 0.1 },
    ],
    ["ffa-lora:r2:up_proj", { kind: "ffa-lora", rank: 2, alpha: 4, targets: ["up_proj"], layers: "all" }],
    ["tri-lora:r2:c_fc", { kind: "tri-lora", rank: 2, alpha: 4, targets: ["c_fc"], layers: "all", basis: "shared" }],
    [
      "tri-lora:r8:q_proj,v_proj:personal",
      { kind: "tri-lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all", basis: "personal" },
    ],
    [
      "loreft:r4:f2+l2+ffa-lora:r2:q_proj:alpha1e+2",
      {
        kind: "combination",
        lora: { kind: "ffa-lora", rank: 2, alpha: 100, targets: ["q_proj"], layers: "all" },
        reft: { kind: "loreft", rank: 4, layers: "all", positions: { first: 2, last: 2, tied: false } },
      },
    ],
  ])("reads %s", (word, settings) => expect(parseAdapter(word)).toEqual(settings));

  it.each([
    ["", '"" is not one of them; write lora:r8:q_proj,v_proj'],
    ["lroeft:r4:f7+l7", "did you mean loreft?"],
    ["loreft", "loreft needs the rank, r followed by an integer from 1 to 1024"],
    ["loreft:4:f7+l7", '"4" is not r followed by an integer from 1 to 1024'],
    ["loreft:r0:f7+l7", '"r0" is not r followed by an integer from 1 to 1024'],
    ["loreft:r1025:f1", '"r1025" is not r followed by an integer from 1 to 1024'],
    ["loreft:r4", "loreft needs the prompt positions that are edited"],
    ["loreft:r4:7+7", '"7+7" is not f7+l7, f4, l4 or all'],
    ["loreft:r4:f0+l0", '"f0+l0" is not f7+l7, f4, l4 or all, with 1 to 4096 positions'],
    ["loreft:r4:f7+l7:tide", '"tide" is unknown; loreft takes tied, frozen, layers=0,2'],
    ["loreft:r4:all:tied", '"tied" is unknown; loreft takes frozen, layers=0,2'],
    ["noreft:r4:f1:frozen", '"frozen" is unknown; noreft takes tied, layers=0,2'],
    ["lora:r8:q_proj:personal", '"personal" is unknown'],
    ["lora:r8:q_proj:dropout0.96", '"0.96" is not a number from 0 to 0.95'],
    ["lora:r8:q_proj+tri-lora:r8:v_proj", "one LoRA kind and one ReFT kind"],
    ["loreft:r8:f1+noreft:r8:f1", "one LoRA kind and one ReFT kind"],
    ["lora:r8:q_proj+loreft:r8:f1+direft:r8:l1", "one LoRA kind and one ReFT kind"],
    ["lora:r8:q_proj+lroeft:r4:f1", "did you mean loreft?"],
    ["loreft:r4:f7+l7:layers=3,1", '"3,1" is not "all" or a rising list'],
    ["lora:r8", "lora needs the linear layers"],
    ["lora:r8:q_proj,", '"q_proj," is not 1 to 64 different names'],
    ["lora:r8:q_proj,q_proj", '"q_proj,q_proj" is not 1 to 64 different names'],
    ["lora:r8:q_proj:alpha0", '"0" is not a number above 0 and at most 65536'],
    ["lora:r8:q_proj:tied", '"tied" is unknown; lora takes alpha16, rslora'],
  ])("refuses %j", (word, text) => {
    expect(() => parseAdapter(word)).toThrow(expect.objectContaining({ code: "ADAPTER_SETTINGS" }));
    expect(() => parseAdapter(word)).toThrow(text);
  });

  const rank = fc.integer({ min: 1, max: 999 });
  const layers = fc.oneof(
    fc.constant("all" as const),
    fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 5 }).map((numbers) => numbers.sort((a, b) => a - b)),
  );
  const positions = fc.oneof(
    fc.constant("all" as const),
    fc
      .record({ first: fc.nat(99), last: fc.nat(99), tied: fc.boolean() })
      .filter(({ first, last }) => first + last > 0),
  );
  const reft = fc.oneof(
    fc.record(
      { kind: fc.constantFrom("loreft", "direft"), rank, layers, positions, rotation: fc.constant("frozen") },
      { requiredKeys: ["kind", "rank", "layers", "positions"] },
    ),
    fc.record({ kind: fc.constantFrom("noreft", "nodireft"), rank, layers, positions }),
  );
  const product = {
    rank,
    alpha: fc.double({ min: 1e-3, max: 65_536, noNaN: true }),
    targets: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z_.]{0,9}$/), { minLength: 1, maxLength: 4 }),
    layers,
    scale: fc.constant("rslora"),
    dropout: fc.double({ min: 1e-9, max: 0.95, noNaN: true }),
  };
  const requiredKeys = ["kind", "rank", "alpha", "targets", "layers"] as const;
  const lowRank = fc.oneof(
    fc.record({ kind: fc.constantFrom("lora", "ffa-lora"), ...product }, { requiredKeys: [...requiredKeys] }),
    fc.record(
      { kind: fc.constant("tri-lora"), ...product, basis: fc.constantFrom("shared", "personal") },
      { requiredKeys: [...requiredKeys, "basis"] },
    ),
  );
  const both = fc.record({ kind: fc.constant("combination"), lora: lowRank, reft });
  it("writes what it reads", () => {
    fc.assert(
      fc.property(fc.oneof(reft, lowRank, both), (settings) => {
        expect(parseAdapter(formatAdapter(settings as AdapterSettings))).toEqual(settings);
      }),
    );
  });
});
