import { describe, it } from "vitest";
import { checkNarrowBase } from "./narrow-base.suite.ts";

// All directories: npm run test:base.
describe("a narrow base has the gradient of the f32 model that it stands for", () => {
  it.each([
    ["q4", "llama", {}],
    ["q4", "gpt2", {}],
    ["q8", "bert", {}],
    ["q4", "llama-yarn", { lowMemory: true }],
    ["f16", "qwen2", { lowMemory: true }],
  ] as const)("%s: %s %j", (form, name, options) => checkNarrowBase(name, form, options));
});
