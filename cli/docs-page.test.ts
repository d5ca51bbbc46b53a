import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AGGREGATION_FIELDS } from "../protocol/settings/aggregation-rules.ts";
import { flaggedFields } from "../protocol/settings/flagged.ts";
import { TRAINING } from "../protocol/settings/training.ts";
import { longName } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { configSchema } from "./config-schema.ts";
import { docsPage } from "./docs-page.ts";
import { manualPage } from "./manual-page.ts";
import { NETWORK_DEFAULTS, networkOptions, networkSettings, TESTNET_SETTINGS } from "./network-options.ts";
import { packageFolder } from "./package-folder.ts";
import { buildProgram } from "./program.ts";

/** Flags of fields that a manifest leaves out where nothing is said. */
const LEFT_OUT = [TRAINING, AGGREGATION_FIELDS].flatMap((table) =>
  flaggedFields(table).flatMap(({ flag, field }) => (field.optional ? [flag] : [])),
);

it.each([
  ["weft.1", manualPage],
  ["config.schema.json", configSchema],
])("docs/%s is what the command table says (npm run docs writes it)", (name, written) => {
  expect(readFileSync(join(packageFolder(), "docs", name), "utf8")).toBe(written());
});

describe("docs/CLI.md", () => {
  it("is what the command table says (npm run docs writes it)", () => {
    expect(readFileSync(join(packageFolder(), "docs", "CLI.md"), "utf8")).toBe(docsPage());
  });

  it.each([
    ["testnet", TESTNET_SETTINGS],
    ["network create", NETWORK_DEFAULTS],
  ])("says for weft %s what holds without a flag, in words that the flag takes", (name, defaults) => {
    const { options } = COMMANDS.find((row) => row.name.join(" ") === name)!;
    const given = networkOptions(defaults).map((wanted) => {
      const { otherwise, parse } = options.find(({ flags }) => flags === wanted.flags)!;
      expect(otherwise).toBe(wanted.otherwise);
      const key = longName(wanted).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      return [key, [...LEFT_OUT, "topK"].includes(key) ? undefined : parse!(otherwise!.split(", or ")[0]!)];
    });
    const { schedule, ...training } = networkSettings(Object.fromEntries(given), defaults).training;
    expect(schedule).toEqual({ kind: "linear", warmupSteps: 10 });
    expect(schedule).toEqual(defaults.training.schedule);
    const accumulate = options.find((one) => longName(one) === "accumulate")!;
    expect(accumulate.parse!(accumulate.otherwise!)).toBe(1);
    expect({ ...networkSettings(Object.fromEntries(given), defaults), training: { ...training, schedule } }).toEqual(
      defaults,
    );
  });

  it("names flags in their long form only", () => {
    for (const { flags } of COMMANDS.flatMap(({ options }) => options))
      expect(flags).toMatch(/^--[a-z][a-z-]*( <[^>]+>)?$/);
  });

  it("gives examples that the parser takes", async () => {
    for (const row of COMMANDS) {
      let chosen: unknown;
      const program = buildProgram({ out: () => undefined, err: () => undefined }, async (found) => {
        chosen = found;
      });
      const [command, ...words] = row.example.split(" ");
      await program.parseAsync(words, { from: "user" });
      expect([command, chosen]).toEqual(["weft", row]);
    }
  });
});
