import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { llama } from "../model/families/llama.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { BASE_SIZES, baseConfig, baseSize } from "./sizes.ts";

const tokenizer = { vocabularySize: 768, beginId: 1, endId: 2 };

describe("a base model's size", () => {
  it("s is the embedded model's, byte for byte", () => {
    const text = readFileSync(join(embeddedModelDirectory(), "config.json"), "utf8");
    expect(`${JSON.stringify(baseConfig(baseSize("s"), tokenizer), null, 2)}\n`).toBe(text);
  });

  it("m has 5 to 15 million values", () => {
    const values = parameterCount(llama(baseConfig(BASE_SIZES.m, tokenizer)).weights);
    expect(values).toBeGreaterThan(5e6);
    expect(values).toBeLessThan(15e6);
  });

  it("of another name is refused", () => expect(() => baseSize("xl")).toThrow('there is no size "xl"; write s or m'));
});
