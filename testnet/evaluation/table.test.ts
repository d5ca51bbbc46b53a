import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { NodeError } from "../../node/errors.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { manifestOf } from "./method.ts";
import { parseTable, readTable } from "./table.ts";

const folder = dirname(fileURLToPath(import.meta.url));

describe("the declared tables", () => {
  for (const file of ["table.json", "published.json", "further.json", "quick.json"]) {
    test(`${file}: every method of it makes a manifest`, () => {
      const { methods, suites } = readTable(join(folder, file));
      const used = suites
        .filter(({ base }) => base === "embedded")
        .flatMap((suite) => suite.methods.map((name) => ({ name, suite })));
      const tried = new Map(used.map((one) => [one.name, one]));
      expect(tried.size).toBeGreaterThan(5);
      for (const { name, suite } of tried.values()) {
        const { rounds, localSteps, training } = suite;
        const manifest = manifestOf(methods.find((one) => one.name === name)!, {
          modelDirectory: embeddedModelDirectory(),
          peers: 8,
          seed: 1,
          settings: { rounds, localSteps, training: { ...training, learningRate: 1e-3 } },
        });
        expect(manifest.rounds.count, name).toBe(rounds);
      }
    });
  }

  test("the published table is a part of the whole one: the same methods", () => {
    const names = (file: string) => readTable(join(folder, file)).methods.map(({ name }) => name);
    expect(names("published.json")).toEqual(names("table.json"));
  });
});

describe("a table that cannot be used is refused in one line", () => {
  const METHOD = {
    name: "one",
    title: "One",
    exchange: "none",
    adapter: { kind: "lora" },
    learningRates: [0.01],
  };
  const SUITE = {
    name: "s",
    title: "S",
    data: "tasks",
    base: "embedded",
    sizes: { train: 8, validation: 8, test: 8 },
    splits: [{ kind: "mixed" }],
    peers: [2],
    seeds: [1],
    methods: ["one"],
    rounds: 1,
    localSteps: 1,
    lookEvery: 1,
    training: {},
    tuning: { seed: 100, peers: 2, split: "each" },
  };
  const refusal = (table: unknown): string => {
    try {
      parseTable(JSON.stringify(table), "t.json", () => JSON.stringify([METHOD]));
    } catch (error) {
      expect(error).toBeInstanceOf(NodeError);
      return (error as NodeError).message;
    }
    return "accepted";
  };
  const tableOf = (method: object, suite: object) => ({
    schema: "weft-evaluation/1",
    methods: [{ ...METHOD, ...method }],
    suites: [{ ...SUITE, ...suite }],
  });

  test("and the line names file and field", () => {
    expect(refusal(tableOf({}, {}))).toBe("accepted");
    expect(refusal({ ...tableOf({}, {}), methods: "methods.json" })).toBe("accepted");
    const rows: readonly (readonly [table: unknown, line: RegExp])[] = [
      [tableOf({}, { methods: ["two"] }), /^t\.json: suites\.0\.methods names "two"/],
      [tableOf({}, { seeds: [1, 100] }), /^t\.json: suites\.0\.tuning\.seed must not be one of the seeds/],
      [tableOf({ learningRates: undefined }, {}), /^t\.json: methods\.0 must have either learningRates or rateOf/],
      [tableOf({ learningRates: undefined, rateOf: "two" }, {}), /methods\.0\.rateOf names "two"/],
      [tableOf({ withoutReference: "two" }, {}), /methods\.0\.withoutReference names "two"/],
      [tableOf({ name: "One/../two" }, {}), /methods\.0\.name must be lower-case/],
      [tableOf({ colour: "red" }, {}), /methods\.0 unrecognized key/],
      [tableOf({}, { learningRates: { two: [0.1] } }), /^t\.json: suites\.0\.learningRates names "two"/],
      [tableOf({}, { attacks: ["gossip"] }), /suites\.0\.attacks\.0/],
    ];
    for (const [table, line] of rows) expect(refusal(table)).toMatch(line);
    expect(() => parseTable("{", "t.json", () => "")).toThrow(/^t\.json: not JSON/);
    expect(() => readTable("/nowhere/t.json")).toThrow(/cannot read the table \/nowhere\/t\.json/);
  });
});
