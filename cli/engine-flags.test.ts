import { describe, expect, it } from "vitest";
import { ENGINE_OPTIONS, type EngineOptions } from "../node/interface/engine-options.ts";
import type { Field } from "../protocol/settings/field.ts";
import { fieldArguments, kebabCase } from "../protocol/settings/field-words.ts";
import { COMMANDS } from "./command-table.ts";
import { engineConfig, engineFlags, engineOf } from "./engine-flags.ts";
import { buildProgram } from "./program.ts";

/** What a command makes of words on its command line. */
async function parsed(words: readonly string[]): Promise<EngineOptions> {
  let options: EngineOptions = {};
  const program = buildProgram({ out: () => undefined, err: () => undefined }, async (_, command) => {
    options = command.opts();
  });
  await program.parseAsync(words, { from: "user" });
  return options;
}

/** A value of every option that is not what holds without it. */
const EVERYTHING = Object.fromEntries(
  Object.entries<Field>(ENGINE_OPTIONS).map(([name, field]) => {
    if (field.type === "choice") return [name, field.values.at(-1)];
    return [name, "max" in field ? field.max : true];
  }),
) as EngineOptions;

describe("the flags of the training engine", () => {
  it.each(["testnet", "run", "init", "join", "train"])("are all there for weft %s", (name) => {
    const { options } = COMMANDS.find((row) => row.name.join(" ") === name)!;
    const flags = options.map((row) => row.flags);
    expect(flags).toEqual(expect.arrayContaining(engineFlags().map((row) => row.flags)));
    expect(engineFlags()).toHaveLength(Object.keys(ENGINE_OPTIONS).length);
  });

  it.each([{}, EVERYTHING, { pack: false, threads: 1024 }, { lengthBuckets: 1 }] satisfies EngineOptions[])(
    "say to another process what they said to this one: %j",
    async (engine) => {
      const { pack, ...others } = engine as EngineOptions;
      const back = await parsed(["run", ...fieldArguments(ENGINE_OPTIONS, engine)]);
      expect(back).toEqual({ ...others, ...(pack && { pack }) });
    },
  );

  it("are kept for later runs by their long names", () => {
    const kept = engineConfig(EVERYTHING);
    expect(Object.keys(kept)).toEqual(Object.keys(ENGINE_OPTIONS).map(kebabCase));
    expect(kept).toMatchObject({ threads: 1024, "length-buckets": 64, "low-memory": true });
    expect(engineConfig({})).toEqual({});
  });

  it("go before what holds without them", () => {
    expect(engineOf({ threads: 2, pack: true }, { threads: 8, device: "cpu" })).toEqual({
      threads: 2,
      pack: true,
      device: "cpu",
    });
  });

  it.each(Object.entries(ENGINE_OPTIONS).filter(([, field]) => field.type === "integer"))(
    "refuse a --%s beyond its bounds, and name them",
    async (name, field) => {
      if (field.type !== "integer") return;
      for (const value of [field.min - 1, field.max + 1]) {
        const refusal = parsed(["run", `--${kebabCase(name)}`, String(value)]);
        await expect(refusal).rejects.toThrow(`expected an integer from ${field.min} to ${field.max}`);
      }
    },
  );
});
