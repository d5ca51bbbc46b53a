import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";
import { trafficPage } from "./traffic-page.ts";

describe("docs/TRAFFIC.md", () => {
  const page = trafficPage();
  const valuesOf = (model: string, word: string): string | undefined =>
    page
      .split(`## ${model}\n`)[1]
      ?.split("\n## ")[0]
      ?.split("\n")
      .find((line) => line.startsWith(`| \`${word}\``))
      ?.split(" | ")[1];

  it("is what the code computes (npm run docs writes it)", () => {
    expect(readFileSync(join(packageFolder(), "docs", "TRAFFIC.md"), "utf8")).toBe(page);
  });

  it.each([
    // Layers x rank x (inputs + outputs of q_proj and of v_proj).
    ["Llama-3.2-1B", "lora:r8:q_proj,v_proj", 16 * 8 * (2048 + 2048 + 2048 + 512)],
    ["Llama-3-8B", "lora:r8:q_proj,v_proj", 32 * 8 * (4096 + 4096 + 4096 + 1024)],
    ["Llama-3-8B", "lora:r8:q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj", 20_971_520],
    ["Qwen2.5-0.5B", "lora:r8:q_proj,v_proj", 24 * 8 * (896 + 896 + 896 + 128)],
    ["Llama-3-8B", "tri-lora:r8:q_proj,v_proj", 32 * 2 * 64],
    // Layers x two interventions x (R, W and b).
    ["Llama-3-8B", "loreft:r4:f7+l7", 32 * 2 * (4 * 4096 * 2 + 4)],
    ["Qwen2.5-0.5B", "loreft:r4:f7+l7:frozen", 24 * 2 * (4 * 896 + 4)],
  ])("counts the values of %s, %s as by hand", (model, word, expected) => {
    expect(valuesOf(model, word)).toBe(String(expected));
  });
});
