/** CONTRIBUTING.md names every file that a change of its kind touches: something that is there is looked for by its name. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const repository = dirname(import.meta.dirname);
const page = readFileSync(join(repository, "CONTRIBUTING.md"), "utf8");

/** A recipe's title, what is looked for, and the file that stands for <kind>, <rule> or <name> in it. */
const RECIPES = [
  ["Add an adapter kind", /\bnoreft\b/, "node/adapter/noreft.ts"],
  ["Add an adapter kind", /"ffa-lora"|\bffaLora\b/, "node/adapter/ffa-lora.ts"],
  ["Add an aggregation rule", /"trimmed-mean"|\btrimmedMean\b/, "node/aggregation/trimmed-mean.ts"],
  ["Add an aggregation rule", /"multi-krum"|\bmultiKrum\b/, "node/aggregation/krum.ts"],
  ["Add a flag of the training engine", /\blowMemory\b/, undefined],
  ["Add a flag that reaches the manifest", /\bgradientClip\b/, undefined],
  ["Add a wire conversation", /\bSTREAM_PROTOCOLS\.checkup\b|\bnew Checkups\(/, "node/exchange/checkup.ts"],
] as const;

/** Source that a recipe is about: no tests, suites, benchmarks or evaluation, nothing generated. */
const SOURCE = execFileSync("git", ["ls-files", "protocol", "node", "cli", "testnet"], {
  cwd: repository,
  encoding: "utf8",
})
  .split("\n")
  .filter(
    (file) =>
      file.endsWith(".ts") &&
      !/(\.test|\.suite|_pb)\.ts$|^node\/bench\/|^testnet\/evaluation|\/vectors\/|\/golden\//.test(file),
  );

const recipeOf = (title: string): string => page.split(`### ${title}\n`)[1]?.split("\n#")[0] ?? "";

/** Whether a recipe names the file: by itself, by its pattern, or by its folder. */
function names(recipe: string, file: string, own: string | undefined): boolean {
  if (file === own) return /`(node|protocol)\/[\w/]+\/<\w+>\.ts`/.test(recipe);
  const named = [...recipe.matchAll(/`([\w./-]+)`/g)].map(([, path = ""]) => path);
  return named.some((path) => path === file || (path.endsWith("/") && file.startsWith(path)));
}

describe("CONTRIBUTING.md", () => {
  it.each(RECIPES)("%s: %s stands in the files that the recipe names, and in no other", (title, name, own) => {
    const recipe = recipeOf(title);
    const found = SOURCE.filter((file) => name.test(readFileSync(join(repository, file), "utf8")));
    expect(found.length).toBeGreaterThan(1);
    expect(found.filter((file) => !names(recipe, file, own))).toEqual([]);
  });

  it("names files that are there", () => {
    const files = [...page.matchAll(/`((?:node|protocol|\.ci|docs)\/[\w./-]+\.\w+)`/g)].map(([, file]) => file);
    const tracked = new Set(execFileSync("git", ["ls-files"], { cwd: repository, encoding: "utf8" }).split("\n"));
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !tracked.has(file!))).toEqual([]);
  });
});
