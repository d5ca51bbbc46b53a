import { describe, expect, it } from "vitest";
import { type RecipeFacts, recipeAdapter, recipeFacts, recipeRate, recipeTraining } from "./recipe.ts";
import { DEEP_LAYERS_MIN, KIND_RATES } from "./recipe-table.ts";

const shallow: RecipeFacts = { layers: 4, targets: ["q_proj", "up_proj"], chat: false, form: "answers" };
const deep: RecipeFacts = { ...shallow, layers: DEEP_LAYERS_MIN, chat: true };

describe("the recipe of an adapter", () => {
  it("has the model's own names where it takes every linear layer", () => {
    const { adapter } = recipeAdapter({ ...shallow, form: "text" });
    expect(adapter).toMatchObject({ kind: "lora", targets: ["q_proj", "up_proj"] });
  });

  it("edits all positions beside a small LoRA on every linear layer where a shallow model is to answer", () => {
    expect(recipeAdapter(shallow).adapter).toMatchObject({
      lora: { kind: "lora", targets: ["q_proj", "up_proj"] },
      reft: { kind: "loreft", positions: "all" },
    });
  });

  it("edits the prompt's ends of a deep model that follows instructions, and of no other", () => {
    const ends = { first: 7, last: 7, tied: false };
    expect(recipeAdapter(deep).adapter).toMatchObject({ kind: "loreft", positions: ends });
    for (const facts of [shallow, { ...deep, layers: DEEP_LAYERS_MIN - 1 }, { ...deep, chat: false }])
      expect(recipeAdapter(facts).adapter).not.toMatchObject({ positions: ends });
    for (const form of ["text", "classes"] as const)
      expect(recipeAdapter({ ...deep, form }).adapter).not.toMatchObject({ positions: ends });
  });

  it("reads names of linear layers once each, and takes a classifier's data for classes", () => {
    const shape = { layers: 2, linears: ["a.0.q_proj", "a.1.q_proj", "a.1.up_proj"].map((path) => ({ path })) };
    expect(recipeFacts({ shape }, { chat: true, form: "text" })).toEqual({
      layers: 2,
      targets: ["q_proj", "up_proj"],
      chat: true,
      form: "text",
    });
    expect(recipeFacts({ shape, classifier: {} }, { chat: false, form: "text" }).form).toBe("classes");
  });
});

describe("the recipe of a rate", () => {
  const low = { rank: 8, alpha: 16, targets: ["q_proj"], layers: "all" } as const;

  it("is that of the kind and the depth, and more for a small core", () => {
    expect(recipeRate({ kind: "lora", ...low }, shallow)).toBe(KIND_RATES.lora.shallow);
    expect(recipeRate({ kind: "lora", ...low }, deep)).toBe(KIND_RATES.lora.deep);
    const tri = { kind: "tri-lora", ...low, basis: "shared" } as const;
    expect(recipeRate(tri, shallow)).toBe(KIND_RATES["tri-lora of a small rank"].shallow);
    expect(recipeRate({ ...tri, rank: 32 }, shallow)).toBe(KIND_RATES["tri-lora"].shallow);
  });

  it("is the lower one of a combination's two", () => {
    const [lora, reft] = [
      { kind: "ffa-lora", ...low },
      { kind: "loreft", rank: 4, layers: "all", positions: "all" },
    ] as const;
    const rate = Math.min(KIND_RATES["ffa-lora"].shallow, KIND_RATES.loreft.shallow);
    expect(recipeRate({ kind: "combination", lora, reft }, shallow)).toBe(rate);
  });

  it("falls to 0, after a warm-up of a tenth of the steps and 10 at most", () => {
    const of = (steps: number) => recipeTraining({ kind: "lora", ...low }, { layers: 4, steps }).schedule;
    expect([0, 5, 45, 100, 4000].map((steps) => of(steps)?.warmupSteps)).toEqual([0, 0, 4, 10, 10]);
    expect(of(100)?.kind).toBe("linear");
  });
});
