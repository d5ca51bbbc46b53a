import { describe, expect, it } from "vitest";
import { KIND_RATES } from "../node/manifest/recipe-table.ts";
import { parseManifest } from "../protocol/network-manifest.ts";
import { AGGREGATION_FIELDS } from "../protocol/settings/aggregation-rules.ts";
import { type Field, fieldBounds } from "../protocol/settings/field.ts";
import { kebabCase } from "../protocol/settings/field-words.ts";
import { type FlaggedTable, flaggedFields } from "../protocol/settings/flagged.ts";
import { ROUNDS, TRAINING } from "../protocol/settings/training.ts";
import { EXAMPLE_MANIFEST } from "../protocol/vectors/example-network.ts";
import { longName } from "./command-row.ts";
import {
  NETWORK_DEFAULTS,
  networkOptions,
  networkSettings,
  PLAIN_DEFAULTS,
  recipeSettings,
} from "./network-options.ts";
import { chosenLine } from "./recipe-argument.ts";
import { REFERENCE_WORD } from "./setting-words.ts";

type Numbered = readonly [flag: string, part: "training" | "rounds" | "aggregation", name: string, field: Field];

const of = (part: Numbered[1], table: FlaggedTable): readonly Numbered[] =>
  flaggedFields(table).map(({ name, field, flag }) => [flag, part, name, field]);
const FLAGS = [...of("training", TRAINING), ...of("rounds", ROUNDS), ...of("aggregation", AGGREGATION_FIELDS)];

describe("a flag that sets one number of a manifest", () => {
  it.each(FLAGS)("--%s takes what the manifest takes, and refuses what it refuses by the same numbers", (...row) => {
    const [flag, part, name, field] = row;
    if (field.type !== "integer" && field.type !== "number") return expect.unreachable(`${flag} is no number`);
    const { parse } = networkOptions(NETWORK_DEFAULTS).find((one) => longName(one) === kebabCase(flag))!;
    const written = (value: number) => {
      const settings = networkSettings({ [flag]: value }, NETWORK_DEFAULTS)[part];
      expect(settings).toMatchObject({ [name]: value });
      return () => parseManifest({ ...EXAMPLE_MANIFEST, [part]: settings });
    };
    expect(parse!(String(field.max))).toBe(field.max);
    expect(written(field.max)()[part]).toMatchObject({ [name]: field.max });
    for (const value of [field.max + 1, field.min - 1]) {
      expect(() => parse!(String(value)), String(value)).toThrow(`expected ${fieldBounds(field)}`);
      expect(written(value), String(value)).toThrow(`${part}.${name} must be ${fieldBounds(field)}, found ${value}`);
    }
  });

  it("is one of the help, and only what is said is set", () => {
    const names = networkOptions(NETWORK_DEFAULTS).map(longName);
    expect(names).toEqual(expect.arrayContaining(FLAGS.map(([flag]) => kebabCase(flag))));
    expect(new Set(names).size).toBe(names.length);
    expect(networkSettings({}, NETWORK_DEFAULTS)).toEqual(NETWORK_DEFAULTS);
  });

  it("brings a reference model where a term towards it is asked for, and none else", () => {
    const of = (options: Parameters<typeof networkSettings>[0]) => networkSettings(options, NETWORK_DEFAULTS).reference;
    expect(of({})).toEqual({ kind: "none" });
    expect(of({ proximal: 0.1 })).toEqual({ kind: "window", size: 4, weights: "uniform", l1: 1e-3, l2: 1e-2 });
    expect(of({ proximal: 0.1, reference: REFERENCE_WORD.parse("ema:0.9") })).toMatchObject({ kind: "ema" });
  });
});

describe("settings by model and data", () => {
  const facts = { layers: 4, targets: ["q_proj"], chat: false, form: "answers" } as const;
  const lora = { kind: "lora", rank: 2, alpha: 4, layers: "all", targets: ["q_proj"] } as const;

  it("leave what a flag says, and take the rate of the adapter's kind", () => {
    const settings = recipeSettings({ adapter: { ...lora, kind: "ffa-lora" } }, PLAIN_DEFAULTS, facts);
    expect(settings.training.learningRate).toBe(KIND_RATES["ffa-lora"].shallow);
    expect(settings.encoding.values).toBe("int8");
    const given = recipeSettings({ adapter: lora, learningRate: 0.5 }, PLAIN_DEFAULTS, facts);
    expect(given.training).toMatchObject({ learningRate: 0.5, schedule: { kind: "linear", warmupSteps: 10 } });
    const constant = { kind: "constant", warmupSteps: 0 } as const;
    expect(recipeSettings({ schedule: constant }, PLAIN_DEFAULTS, facts).training.schedule).toEqual(constant);
  });

  it("have no rate of AdamW for gradient descent", () => {
    const { training } = recipeSettings({ optimizer: { optimizer: "sgd" } }, PLAIN_DEFAULTS, facts);
    expect(training).toMatchObject({ optimizer: "sgd", learningRate: PLAIN_DEFAULTS.training.learningRate });
  });

  it("warm up by the steps of the rounds that are asked for", () => {
    const { training } = recipeSettings({ rounds: 2, localSteps: 10 }, PLAIN_DEFAULTS, facts);
    expect(training.schedule).toEqual({ kind: "linear", warmupSteps: 2 });
  });

  it("are said in a line, unless flags say all of it", () => {
    const settings = recipeSettings({}, PLAIN_DEFAULTS, facts);
    expect(chosenLine({}, settings, facts)).toMatch(
      /^chosen because .*: adapter .*, learning rate .*, schedule linear:10$/,
    );
    const { adapter, training } = settings;
    const all = { adapter, learningRate: 1, schedule: training.schedule! };
    expect(chosenLine(all, settings, facts)).toBeUndefined();
    expect(chosenLine({ adapter }, settings, facts)).toMatch(/^chosen by the kind of adapter and the 4 layers/);
  });
});
