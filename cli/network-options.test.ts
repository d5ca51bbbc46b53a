import { describe, expect, it } from "vitest";
import { parseManifest } from "../protocol/network-manifest.ts";
import { AGGREGATION_FIELDS } from "../protocol/settings/aggregation-rules.ts";
import { type Field, fieldBounds } from "../protocol/settings/field.ts";
import { kebabCase } from "../protocol/settings/field-words.ts";
import { type FlaggedTable, flaggedFields } from "../protocol/settings/flagged.ts";
import { ROUNDS, TRAINING } from "../protocol/settings/training.ts";
import { EXAMPLE_MANIFEST } from "../protocol/vectors/example-network.ts";
import { longName } from "./command-row.ts";
import { NETWORK_DEFAULTS, networkOptions, networkSettings } from "./network-options.ts";

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
});
