import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NetworkManifest, networkId, parseManifest } from "./network-manifest.ts";
import { ADAPTERS, LOW_RANK_ADAPTERS } from "./settings/adapter-kinds.ts";
import { kindsOf } from "./settings/variant.ts";
import { EXAMPLE_MANIFEST } from "./vectors/example-network.ts";

/** `"a", "b" or "c"` */
const quoted = (words: readonly string[]): string =>
  words
    .map((word) => `"${word}"`)
    .reduceRight((rest, word, i) => `${word}${i === words.length - 2 ? " or " : ", "}${rest}`);

type Draft = Record<string, unknown> & { [K in keyof NetworkManifest]: Record<string, unknown> };

function changed(change: (draft: Draft) => void): string {
  const draft = structuredClone(EXAMPLE_MANIFEST) as unknown as Draft;
  change(draft);
  return JSON.stringify(draft);
}

function lineOf(source: unknown): string {
  try {
    parseManifest(source);
  } catch (error) {
    expect(error).toMatchObject({ name: "ProtocolError", code: "MANIFEST_INVALID" });
    return (error as Error).message;
  }
  return "valid";
}

const LORA = {
  adapter: { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" },
  tensors: [
    { name: "q_proj.A", shape: [2, 4] },
    { name: "q_proj.B", shape: [4, 2] },
  ],
} as const;

describe("one clear line names the field", () => {
  test.each<[string, (draft: Draft) => void]>([
    [
      "training.batchsize is not a field of a manifest; did you mean batchSize?",
      ({ training }) => {
        training.batchsize = training.batchSize;
        delete training.batchSize;
      },
    ],
    ["colour is not a field of a manifest", (m) => Object.assign(m, { colour: 1 })],
    [
      "tensors[1].shapes is not a field of a manifest; did you mean shape?",
      ({ tensors }) => Object.assign(tensors[1] as object, { shapes: 1 }),
    ],
    [
      "aggregation.lambda.valu is not a field of a manifest; did you mean value?",
      ({ aggregation }) => Object.assign(aggregation, { lambda: { mode: "fixed", valu: 1 } }),
    ],
    [
      "aggregation.lambda.value is not a field of a manifest",
      ({ aggregation }) => Object.assign(aggregation, { lambda: { mode: "search", value: 1 } }),
    ],
    ["training is missing", (m) => Object.assign(m, { training: undefined })],
    ["training.batchSize is missing", ({ training }) => delete training.batchSize],
    ["adapter.kind is missing", ({ adapter }) => delete adapter.kind],
    [
      'training.batchSize must be an integer from 1 to 4096, found "8"',
      ({ training }) => Object.assign(training, { batchSize: "8" }),
    ],
    [
      "training.batchSize must be an integer from 1 to 4096, found 1.5",
      ({ training }) => Object.assign(training, { batchSize: 1.5 }),
    ],
    [
      "training.learningRate must be a number above 0 and at most 10, found 0",
      ({ training }) => Object.assign(training, { learningRate: 0 }),
    ],
    [
      `adapter.kind must be ${quoted([...kindsOf(ADAPTERS), "combination"])}, found "lore"`,
      ({ adapter }) => Object.assign(adapter, { kind: "lore" }),
    ],
    ["adapter must be an object, found null", (m) => Object.assign(m, { adapter: null })],
    [
      'adapter.layers must be "all" or a rising list of 1 to 1024 layer numbers',
      ({ adapter }) => Object.assign(adapter, { layers: "al" }),
    ],
    ["bootstrap must be a list of 0 to 64 multiaddrs, found an object", (m) => Object.assign(m, { bootstrap: {} })],
    [
      "training.momentum is of sgd only: adamw has means of its own",
      ({ training }) => Object.assign(training, { momentum: 0.9 }),
    ],
    [
      'training.proximal needs a reference model, and reference.kind is "none"',
      (m) => Object.assign(m, { training: { ...m.training, proximal: 0.01 }, reference: { kind: "none" } }),
    ],
    ["aggregation.trim is missing", ({ aggregation }) => Object.assign(aggregation, { rule: "trimmed-mean" })],
    ["aggregation.faulty is missing", ({ aggregation }) => Object.assign(aggregation, { rule: "multi-krum", keep: 3 })],
    [
      "aggregation.radius is missing",
      ({ aggregation }) => Object.assign(aggregation, { rule: "clipped-gossip", normClip: true }),
    ],
    [
      "aggregation.keep is of multi-krum only",
      ({ aggregation }) => Object.assign(aggregation, { rule: "krum", faulty: 1, keep: 3 }),
    ],
    [
      "aggregation.radius is of centred-clipping and clipped-gossip only",
      ({ aggregation }) => Object.assign(aggregation, { rule: "median", radius: 1 }),
    ],
    [
      "aggregation.normClip must be true, or left out, found false",
      ({ aggregation }) => Object.assign(aggregation, { rule: "median", normClip: false }),
    ],
    [
      'aggregation.weights.kind must be "samples", "metropolis", "score" or "similarity", found "uniform"',
      ({ aggregation }) => Object.assign(aggregation, { weights: { kind: "uniform" } }),
    ],
    [
      "aggregation.weights.data.share must be a number above 0 and at most 1, found 0",
      (m) =>
        Object.assign(m.aggregation, {
          weights: { kind: "similarity", temperature: 0.1, data: { share: 0, temperature: 1 } },
        }),
    ],
    [
      'aggregation.weights "similarity" compares the C of tri-lora, which other kinds do not have',
      (m) => Object.assign(m.aggregation, { weights: { kind: "similarity", temperature: 0.1 } }),
    ],
    [
      'aggregation.factors "product" is of lora only: other kinds do not send both factors',
      (m) => Object.assign(m.aggregation, { rule: "mean", factors: "product" }),
    ],
    [
      'aggregation.factors "aligned" is of tri-lora on a personal basis only',
      (m) => Object.assign(m.aggregation, { factors: "aligned" }),
    ],
    [
      'aggregation.factors "product" is of the rule mean without normClip only',
      (m) => Object.assign(m, LORA, { aggregation: { ...m.aggregation, rule: "median", factors: "product" } }),
    ],
    [
      'aggregation.factors "product" needs layers as wide as the rank, and q_proj.B is narrower',
      (m) =>
        Object.assign(m, LORA, {
          tensors: [LORA.tensors[0], { name: "q_proj.B", shape: [1, 2] }],
          aggregation: { ...m.aggregation, rule: "mean", factors: "product" },
        }),
    ],
    [
      "aggregation.radios is not a field of a manifest; did you mean radius?",
      ({ aggregation }) => Object.assign(aggregation, { rule: "clipped-gossip", radios: 1 }),
    ],
    [
      'training.schedule.kind must be "constant" or "linear" or "cosine", found "step"',
      ({ training }) => Object.assign(training, { schedule: { kind: "step", warmupSteps: 0 } }),
    ],
    [
      'reference.weights must be "uniform" or "linear", found "quadratic"',
      ({ reference }) => Object.assign(reference, { weights: "quadratic" }),
    ],
    ['name must be 1 to 64 characters of printable ASCII, found "tab\\t"', (m) => Object.assign(m, { name: "tab\t" })],
    [
      'model.digest.weights must be a SHA-256 digest of 64 lower-case hexadecimal digits, found "AB"',
      ({ model }) => Object.assign(model.digest as object, { weights: "AB" }),
    ],
  ])("%s", (expected, change) => {
    expect(lineOf(changed(change))).toBe(`network manifest: ${expected}`);
  });

  test.each([
    ["", "not JSON"],
    ["{", "not JSON"],
    ["[]", "must be an object, found a list of 0"],
    ["null", "must be an object, found null"],
    [undefined, "is missing"],
    ['{"__proto__": {"x": 1}}', "__proto__ is not a field of a manifest"],
    ['{"seed": 1, "rounds": {}, "s\\u0065ed": 2}', "seed stands twice in one object"],
  ])("%j: %s", (source, expected) => {
    expect(lineOf(source)).toContain(`network manifest: ${expected}`);
  });

  test("a name that readers take differently is refused at every depth, in a text and in a parsed value", () => {
    const text = changed(() => {});
    expect(lineOf(text)).toBe("valid");
    const objects = [...text.matchAll(/\{"/g)].map(({ index }) => index + 1);
    expect(objects.length).toBeGreaterThan(5);
    for (const at of objects) {
      const withProto = `${text.slice(0, at)}"__proto__":{"count":1},${text.slice(at)}`;
      expect(lineOf(withProto)).toMatch(/__proto__ is not a field of a manifest$/);
      expect(lineOf(JSON.parse(withProto))).toMatch(/__proto__ is not a field of a manifest$/);
      const [name] = /^"[^"]+"/.exec(text.slice(at))!;
      expect(lineOf(`${text.slice(0, at)}${name}:0,${text.slice(at)}`)).toContain("stands twice in one object");
    }
  });

  test("whatever the text is, the error is one printable line with a code", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.json(),
          fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
        ),
        (source) => {
          expect(lineOf(source)).toMatch(/^[ -~]{1,300}$/);
        },
      ),
    );
  });
});

describe("training", () => {
  const withTraining = (training: object): NetworkManifest =>
    parseManifest(changed((m) => Object.assign(m.training, training)));

  test.each<[string, object]>([
    ["nothing more than before", {}],
    ["sgd", { optimizer: "sgd" }],
    ["sgd with momentum", { optimizer: "sgd", momentum: 0.9 }],
    ["a schedule", { schedule: { kind: "cosine", warmupSteps: 10 } }],
    ["accumulation and a proximal term", { accumulate: 4, proximal: 0.01 }],
  ])("%s is read as it is written, and nothing is filled in", (_, training) => {
    expect(withTraining(training).training).toEqual({ ...EXAMPLE_MANIFEST.training, ...training });
  });

  test("each setting makes another network", () => {
    const settings = [
      {},
      { optimizer: "sgd" },
      { optimizer: "sgd", momentum: 0.9 },
      { schedule: { kind: "linear", warmupSteps: 0 } },
      { accumulate: 2 },
      { proximal: 0.01 },
    ];
    expect(new Set(settings.map((one) => networkId(withTraining(one)))).size).toBe(settings.length);
    expect(networkId(withTraining({}))).toBe(networkId(EXAMPLE_MANIFEST));
  });
});

describe("adapters", () => {
  const lowRank = { rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" };
  const reft = { rank: 2, layers: [0, 3], positions: { first: 1, last: 1, tied: true } };
  const withAdapter = (adapter: object): string => changed((m) => Object.assign(m, { adapter }));

  test.each<[string, object]>([
    ["lora", { kind: "lora", ...lowRank }],
    ["lora with everything", { kind: "lora", ...lowRank, scale: "rslora", dropout: 0.1 }],
    ["ffa-lora", { kind: "ffa-lora", ...lowRank }],
    ["tri-lora", { kind: "tri-lora", ...lowRank, basis: "personal" }],
    ["loreft", { kind: "loreft", ...reft, rotation: "frozen" }],
    ["direft", { kind: "direft", ...reft, positions: "all" }],
    ["noreft", { kind: "noreft", ...reft }],
    ["nodireft", { kind: "nodireft", ...reft }],
    ["combination", { kind: "combination", lora: { kind: "lora", ...lowRank }, reft: { kind: "noreft", ...reft } }],
  ])("%s is read as it is written", (_, adapter) => {
    expect(parseManifest(withAdapter(adapter)).adapter).toEqual(adapter);
  });

  test("a field that is left out is not filled in, so that networks keep their ids", () => {
    const plain = parseManifest(withAdapter({ kind: "loreft", ...reft }));
    expect(plain.adapter).not.toHaveProperty("rotation");
    const written = parseManifest(withAdapter({ kind: "loreft", ...reft, rotation: "trained" }));
    expect(networkId(written)).not.toBe(networkId(plain));
  });

  test.each<[string, object]>([
    ['adapter.positions must be "all" or an object, found "al"', { kind: "loreft", ...reft, positions: "al" }],
    ['adapter.positions must be "all" or an object, found a list of 0', { kind: "loreft", ...reft, positions: [] }],
    [
      "adapter.positions.frist is not a field of a manifest; did you mean first?",
      { kind: "noreft", ...reft, positions: { frist: 1, last: 1, tied: true } },
    ],
    [
      "adapter.positions.last must be an integer from 0 to 4096, found -1",
      { kind: "direft", ...reft, positions: { first: 1, last: -1, tied: true } },
    ],
    ["adapter.rotation is not a field of a manifest", { kind: "noreft", ...reft, rotation: "frozen" }],
    ['adapter.basis must be "shared" or "personal", found "own"', { kind: "tri-lora", ...lowRank, basis: "own" }],
    ["adapter.basis is missing", { kind: "tri-lora", ...lowRank }],
    ["adapter.dropout must be a number from 0 to 0.95, found 1", { kind: "lora", ...lowRank, dropout: 1 }],
    ["adapter.dropout must be a number from 0 to 0.95, found null", { kind: "lora", ...lowRank, dropout: null }],
    [
      `adapter.lora.kind must be ${quoted(kindsOf(LOW_RANK_ADAPTERS))}, found "loreft"`,
      { kind: "combination", lora: { kind: "loreft", ...reft }, reft: { kind: "loreft", ...reft } },
    ],
    [
      "adapter.reft.rnk is not a field of a manifest; did you mean rank?",
      { kind: "combination", lora: { kind: "lora", ...lowRank }, reft: { kind: "loreft", ...reft, rnk: 1 } },
    ],
    ["adapter.reft is missing", { kind: "combination", lora: { kind: "lora", ...lowRank } }],
  ])("%s", (expected, adapter) => {
    expect(lineOf(withAdapter(adapter))).toBe(`network manifest: ${expected}`);
  });
});

describe("the bounds of every number", () => {
  const seed = (value: unknown) => (m: Draft) => Object.assign(m, { seed: value });
  const at = (path: string, value: unknown) => (m: Draft) => {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce<Record<string, unknown>>((o, key) => o[key] as Record<string, unknown>, m);
    expect(Object.keys(parent)).toContain(last);
    parent[last] = value;
  };
  test.each<[string, readonly number[], readonly number[]]>([
    ["adapter.rank", [1, 1024], [0, 1025]],
    ["adapter.positions.first", [0, 4096], [-1, 4097]],
    ["training.learningRate", [1e-9, 10], [0, -1, 10.5]],
    ["training.weightDecay", [0, 1], [-0.1, 1.1]],
    ["training.gradientClip", [1e-9, 1e6], [0, 1e6 + 1]],
    ["training.batchSize", [1, 4096], [0, 4097]],
    ["training.maxTokens", [2, 131_072], [1, 131_073]],
    ["rounds.count", [1, 1_000_000], [0, 1_000_001]],
    ["rounds.localSteps", [1, 1_000_000], [0, 1_000_001]],
    ["rounds.deadlineMs.min", [0, 30_000], [-1, 30_001]],
    ["rounds.deadlineMs.max", [200, 86_400_000], [199, 86_400_001]],
    ["aggregation.stalenessExponent", [0, 10], [-0.1, 10.1]],
    ["aggregation.ageMax", [0, 1_000_000], [-1, 1_000_001]],
    ["reference.size", [1, 64], [0, 65]],
    ["reference.l1", [0, 1e6], [-1e-9, 1e6 + 1]],
    ["reference.l2", [0, 1e6], [-1e-9, 1e6 + 1]],
  ])("%s", (path, inside, outside) => {
    for (const value of inside) expect(lineOf(changed(at(path, value))), String(value)).toBe("valid");
    for (const value of [...outside, null, "1", true])
      expect(lineOf(changed(at(path, value))), String(value)).toContain(path.split(".")[0]);
  });

  test("seed", () => {
    for (const value of [0, Number.MAX_SAFE_INTEGER]) expect(lineOf(changed(seed(value)))).toBe("valid");
    for (const value of [-1, 0.5, 2 ** 53]) expect(lineOf(changed(seed(value)))).toContain("seed must be");
  });
});

describe("the numbers of the aggregation rules", () => {
  const ruled = (settings: object) => changed(({ aggregation }) => Object.assign(aggregation, settings));

  test.each<[object, string, readonly number[], readonly number[]]>([
    [{ rule: "trimmed-mean" }, "trim", [0.001, 0.499], [0, 0.5, -0.1]],
    [{ rule: "krum" }, "faulty", [1, 1024], [0, 1025, 1.5]],
    [{ rule: "multi-krum" }, "faulty", [1, 1024], [0, 1025, 1.5]],
    [{ rule: "multi-krum", faulty: 1 }, "keep", [1, 1024], [0, 1025, 1.5]],
    [{ rule: "centred-clipping" }, "radius", [1e-9, 1e6], [0, -1, 1e6 + 1]],
    [{ rule: "clipped-gossip" }, "radius", [1e-9, 1e6], [0, -1, 1e6 + 1]],
    [{ rule: "mean" }, "sample", [1, 1024], [0, 1025, 1.5]],
  ])("%o: %s", (rule, field, inside, outside) => {
    for (const value of inside) expect(lineOf(ruled({ ...rule, [field]: value })), String(value)).toBe("valid");
    for (const value of [...outside, null, "1", true])
      expect(lineOf(ruled({ ...rule, [field]: value })), String(value)).toContain(`aggregation.${field} must be`);
  });

  test("the products of a lora adapter", () => {
    const aggregation = { ...EXAMPLE_MANIFEST.aggregation, rule: "mean", factors: "product" };
    expect(lineOf(changed((m) => Object.assign(m, LORA, { aggregation })))).toBe("valid");
  });

  test("are part of the network id, and absent ones change nothing in it", () => {
    const id = (settings: object) => networkId(parseManifest(ruled(settings)));
    expect(id({})).toBe(networkId(EXAMPLE_MANIFEST));
    const ids = [
      {},
      { normClip: true },
      { rule: "krum", faulty: 1 },
      { rule: "krum", faulty: 2 },
      { sample: 8 },
      { weights: { kind: "samples" } },
    ].map(id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
