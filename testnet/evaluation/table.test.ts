import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { NodeError } from "../../node/errors.ts";
import { createNetwork } from "../../node/manifest/create-network.ts";
import { recipeAdapter, recipeFacts, recipeTraining } from "../../node/manifest/recipe.ts";
import { loadBaseModel } from "../../node/model/huggingface.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { readModelFiles } from "../../node/system/files/model-files.ts";
import { manifestOf } from "./method.ts";
import { rateBeyond } from "./run-table.ts";
import { withShipped } from "./shipped.ts";
import { parseTable, readTable } from "./table.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const model = loadBaseModel(readModelFiles(embeddedModelDirectory()));

describe("the declared tables", () => {
  for (const file of ["table.json", "published.json", "quick.json"]) {
    test(`${file}: every method of it makes a manifest`, () => {
      const { methods, suites } = readTable(join(folder, file));
      const used = suites
        .filter(({ base }) => base === "embedded")
        .flatMap((suite) => suite.methods.map((name) => ({ name, suite })));
      const tried = new Map(used.map((one) => [one.name, one]));
      expect(tried.size).toBeGreaterThan(5);
      for (const { name, suite } of tried.values()) {
        const { rounds, localSteps, training } = suite;
        const method = withShipped(methods.find((one) => one.name === name)!, suite, model);
        const manifest = manifestOf(method, {
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

test("a shipped row has what a new network has where nobody chooses", () => {
  const { methods, suites } = readTable(join(folder, "published.json"));
  const declared = methods.find(({ name }) => name === "shipped")!;
  const row = withShipped(declared, suites[0]!, model);
  const plain = createNetwork({
    name: "plain",
    modelDirectory: embeddedModelDirectory(),
    seed: 1,
    adapter: recipeAdapter(recipeFacts(model, { chat: false, form: "answers" })).adapter,
    rounds: { count: suites[0]!.rounds, localSteps: suites[0]!.localSteps },
  });
  const manifest = manifestOf(row, {
    modelDirectory: embeddedModelDirectory(),
    peers: 8,
    seed: 1,
    settings: { ...suites[0]!, training: { learningRate: row.learningRates![0]! } },
  });
  expect({ ...manifest, name: "plain" }).toEqual(plain);
  expect(withShipped(methods[0]!, suites[0]!, model)).toBe(methods[0]);
});

test("a shipped row keeps what its method says of the reference model, and nothing else changes", () => {
  const { methods, suites } = readTable(join(folder, "published.json"));
  const of = (name: string) => withShipped(methods.find((one) => one.name === name)!, suites[0]!, model);
  const { name: _, title: __, reference, ...rest } = of("shipped-reference");
  const { name: ___, title: ____, reference: none, ...plain } = of("shipped");
  expect([reference?.kind, none?.kind]).toEqual(["window", "none"]);
  expect(rest).toEqual(plain);
});

test("a shipped row that names an adapter has the recipe's rate of that adapter, and the rest of a new network", () => {
  const { methods, suites } = readTable(join(folder, "published.json"));
  const of = (name: string) => withShipped(methods.find((one) => one.name === name)!, suites[0]!, model);
  const [plain, loreft] = [of("shipped"), of("shipped-loreft")];
  expect(loreft.adapter.kind).toBe("loreft");
  expect(loreft.learningRates).toEqual([recipeTraining(loreft.adapter, { layers: 4, steps: 192 }).learningRate]);
  expect(loreft.learningRates).not.toEqual(plain.learningRates);
  expect([loreft.aggregation, loreft.reference, loreft.encoding]).toEqual([
    plain.aggregation,
    plain.reference,
    plain.encoding,
  ]);
});

test("a shipped row with rates of its own is searched, and else the same", () => {
  const { methods, suites } = readTable(join(folder, "published.json"));
  const of = (name: string) => withShipped(methods.find((one) => one.name === name)!, suites[0]!, model);
  for (const name of ["shipped", "shipped-c", "shipped-c-int8"]) {
    const { name: _, title: __, learningRates: rates, ...searched } = of(`${name}-tuned`);
    const { name: ___, title: ____, learningRates: recipe, ...plain } = of(name);
    expect(searched).toEqual(plain);
    expect(rates).toEqual(expect.arrayContaining([...recipe!, expect.any(Number)]));
  }
});

test("a grid goes on beyond its end, as far as from there to its neighbour", () => {
  expect(rateBeyond([0.03, 0.01, 0.1], 0.1)).toBe(0.3);
  expect(rateBeyond([0.03, 0.01, 0.1, 0.3], 0.3)).toBe(0.9);
  expect(rateBeyond([0.03, 0.01, 0.1], 0.01)).toBe(0.003);
  expect(rateBeyond([0.03, 0.01, 0.1], 0.03)).toBeUndefined();
  expect(rateBeyond([1, 3, 10], 10)).toBeUndefined();
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
      [tableOf({}, { meetings: "ring" }), /^t\.json: suites\.0\.meetings must have at least 3 peers/],
      [tableOf({}, { meetings: "regular-3", peers: [4, 7] }), /suites\.0\.meetings must have an even number of peers/],
      [
        tableOf({}, { meetings: "churn", attacks: ["none", "mirror"] }),
        /suites\.0\.meetings must not be given where peers lie/,
      ],
    ];
    for (const [table, line] of rows) expect(refusal(table)).toMatch(line);
    expect(() => parseTable("{", "t.json", () => "")).toThrow(/^t\.json: not JSON/);
    expect(() => readTable("/nowhere/t.json")).toThrow(/cannot read the table \/nowhere\/t\.json/);
  });
});
