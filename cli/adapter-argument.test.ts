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
  ])("reads %s", (word, settings) => expect(parseAdapter(word)).toEqual(settings));

  it.each([
    ["", "is no kind of adapter"],
    ["lroeft:r4:f7+l7", "did you mean loreft?"],
    ["loreft", '"" is no rank'],
    ["loreft:4:f7+l7", '"4" is no rank'],
    ["loreft:r0:f7+l7", '"r0" is no rank'],
    ["loreft:r4", "names no prompt positions"],
    ["loreft:r4:7+7", "names no prompt positions"],
    ["loreft:r4:f0+l0", "no prompt position is left"],
    ["loreft:r4:f7+l7:tide", '"tide" is unknown; known parts are tied'],
    ["loreft:r4:f7+l7:layers=3,1", "do not rise"],
    ["lora:r8", "names no linear layers"],
    ["lora:r8:q_proj,", "names no linear layers"],
    ["lora:r8:q_proj,q_proj", "twice"],
    ["lora:r8:q_proj:alpha0", "alpha is not above 0"],
    ["lora:r8:q_proj:tied", '"tied" is unknown; known parts are alpha'],
  ])("refuses %j", (word, text) => {
    expect(() => parseAdapter(word)).toThrow(expect.objectContaining({ code: "ADAPTER_SETTINGS" }));
    expect(() => parseAdapter(word)).toThrow(text);
  });

  const rank = fc.integer({ min: 1, max: 999 });
  const layers = fc.oneof(
    fc.constant("all" as const),
    fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 5 }).map((numbers) => numbers.sort((a, b) => a - b)),
  );
  const loreft = fc.record({
    kind: fc.constant("loreft" as const),
    rank,
    layers,
    positions: fc
      .record({ first: fc.nat(99), last: fc.nat(99), tied: fc.boolean() })
      .filter(({ first, last }) => first + last > 0),
  });
  const lora = fc.record({
    kind: fc.constant("lora" as const),
    rank,
    alpha: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    targets: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z_.]{0,9}$/), { minLength: 1, maxLength: 4 }),
    layers,
  });
  it("writes what it reads", () => {
    fc.assert(
      fc.property(fc.oneof(loreft, lora), (settings: AdapterSettings) => {
        expect(parseAdapter(formatAdapter(settings))).toEqual(settings);
      }),
    );
  });
});
