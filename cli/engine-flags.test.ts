import { describe, expect, it } from "vitest";
import { ENGINE_OPTIONS, type EngineOptions } from "../node/interface/engine-options.ts";
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

const EVERYTHING: Required<EngineOptions> = {
  threads: 3,
  device: "webgpu",
  lengthBuckets: 2,
  pack: true,
  precision: "int8",
  lowMemory: true,
};

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
    expect(engineConfig(EVERYTHING)).toEqual({
      threads: 3,
      device: "webgpu",
      "length-buckets": 2,
      pack: true,
      precision: "int8",
      "low-memory": true,
    });
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
