/** Every method's edit against its equation, summed literally in float64. */
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { inputValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import { dropoutFeeds, keptShare } from "./dropout.ts";
import { inject } from "./inject.ts";
import { adapterMethod } from "./methods.ts";
import { interventionFeeds } from "./positions.ts";
import { HIDDEN, PROMPTS, SHAPE, smallLlama, withSession } from "./small-llama.suite.ts";

const MODEL = smallLlama();
const ROWS = SHAPE.examples * SHAPE.tokens;
const RATE = 0.25;

type Vector = readonly number[];
type Part = (letter: string) => readonly Vector[];
const times = (M: readonly Vector[], x: Vector): Vector =>
  M.map((row) => row.reduce((sum, m, k) => sum + m * x[k]!, 0));
const transposed = (M: readonly Vector[]): readonly Vector[] => M[0]!.map((_, k) => M.map((row) => row[k]!));
const plus = (x: Vector, y: Vector): Vector => x.map((value, i) => value + y[i]!);
const scaled = (x: Vector, s: number): Vector => x.map((value) => value * s);

/** What is added to a row: x is the row that is edited, or the input of the linear layer. */
type Equation = (x: Vector, part: Part) => Vector;
const bias = (part: Part): Vector => part("b").map(([value]) => value!);
const LOREFT: Equation = (h, p) =>
  times(transposed(p("R")), plus(plus(times(p("W"), h), bias(p)), scaled(times(p("R"), h), -1)));
const NOREFT: Equation = (h, p) =>
  times(transposed(p("W2")), plus(plus(times(p("W1"), h), bias(p)), scaled(times(p("W2"), h), -1)));
const DIREFT: Equation = (h, p) => times(transposed(p("R")), plus(times(p("W"), h), bias(p)));
const NODIREFT: Equation = (h, p) => times(transposed(p("W2")), plus(times(p("W1"), h), bias(p)));
const LORA: Equation = (x, p) => times(p("B"), times(p("A"), x));
const TRI_LORA: Equation = (x, p) => times(p("B"), times(p("C"), times(p("A"), x)));

/** A graph of one hook, run with random tensors in all places, trained and frozen. */
async function edited(
  settings: AdapterSettings,
  edit: (hooks: ReturnType<typeof inject>["hooks"], x: OnnxValue, y: OnnxValue) => OnnxValue,
  { training }: { readonly training: boolean },
) {
  const method = adapterMethod(settings);
  const prng = createPrng(1);
  const random = (name: string, shape: readonly number[]): Tensor => {
    const stream = prng.fork(name);
    return float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => stream.normal()),
    );
  };
  const tensors = new Map(method.tensors(settings, MODEL.shape).map(({ name, shape }) => [name, random(name, shape)]));
  const frozen = new Map(
    [...method.frozen(settings, MODEL.shape, 1)].map(([name, { shape }]) => [name, random(name, shape)]),
  );
  const inputs = new Map([...tensors].map(([name, { shape }]) => [name, inputValue(name, "float32", shape)]));
  const injected = inject({
    settings,
    model: MODEL.shape,
    base: MODEL,
    trained: (name) => inputs.get(name),
    frozen,
    ...SHAPE,
    training,
  });
  const [x, y] = [random("x", [ROWS, HIDDEN]), random("y", [ROWS, HIDDEN])];
  const values = [inputValue("x", "float32", x.shape), inputValue("y", "float32", y.shape)] as const;
  const out = edit(injected.hooks, ...values);
  const masks = training ? dropoutFeeds(method.dropout(settings, MODEL.shape), ROWS, createPrng(2)) : {};
  const feeds = {
    x,
    y,
    ...Object.fromEntries(tensors),
    ...interventionFeeds(method.positions(settings), PROMPTS, SHAPE.tokens),
    ...masks,
  };
  const graph = { inputs: [...values, ...inputs.values(), ...injected.inputs], outputs: { out } };
  const used = await withSession(graph, MODEL, (session) => session.run(feeds));
  const all = new Map([...tensors, ...frozen]);
  const part =
    (site: string): Part =>
    (letter) =>
      matrix(all.get(`${site}.${letter}`)!);
  return { rows: matrix(used.out!), x: matrix(x), y: matrix(y), part, masks };
}

function matrix({ shape, data }: Tensor): readonly Vector[] {
  const columns = shape[1] ?? 1;
  return Array.from({ length: shape[0]! }, (_, i) =>
    Array.from(data as Float32Array).slice(i * columns, (i + 1) * columns),
  );
}

function expectClose(actual: readonly Vector[], expected: readonly Vector[]): void {
  for (const [i, row] of expected.entries()) {
    const error = Math.max(...row.map((value, k) => Math.abs(value - actual[i]![k]!)));
    expect(error, `row ${i}`).toBeLessThan(1e-4);
  }
}

describe("edits of the residual stream", () => {
  const TIED = { first: 2, last: 1, tied: true };
  const UNTIED = { ...TIED, tied: false };
  // Prompts of 5 and 4 tokens in rows of 8: prefixes 0, 1 and 8, 9; suffixes 4 and 11.
  const prefix = new Map([0, 1, 8, 9].map((row) => [row, "layers.1.prefix"]));
  const suffix = new Map([4, 11].map((row) => [row, "layers.1.suffix"]));
  const tied = new Map([0, 1, 4, 8, 9, 11].map((row) => [row, "layers.1"]));
  const every = new Map(Array.from({ length: ROWS }, (_, row) => [row, "layers.1"]));
  const fields = { rank: 3, layers: "all" } as const;
  it.each<[string, AdapterSettings, Equation, ReadonlyMap<number, string>]>([
    ["loreft", { kind: "loreft", ...fields, positions: UNTIED }, LOREFT, new Map([...prefix, ...suffix])],
    ["loreft, frozen", { kind: "loreft", ...fields, positions: TIED, rotation: "frozen" }, LOREFT, tied],
    ["noreft, all", { kind: "noreft", ...fields, positions: "all" }, NOREFT, every],
    ["direft", { kind: "direft", ...fields, positions: { ...UNTIED, last: 0 } }, DIREFT, prefix],
    ["direft, frozen, all", { kind: "direft", ...fields, positions: "all", rotation: "frozen" }, DIREFT, every],
    ["nodireft", { kind: "nodireft", ...fields, positions: TIED }, NODIREFT, tied],
  ])("%s", async (_, settings, equation, sites) => {
    const { rows, x, part } = await edited(settings, (hooks, h) => hooks.block!(1, h), { training: false });
    const expected = x.map((h, row) => {
      const site = sites.get(row);
      return site === undefined ? h : plus(h, equation(h, part(site)));
    });
    expectClose(rows, expected);
  });

  it("leave layers alone that were not chosen", async () => {
    const settings: AdapterSettings = { kind: "noreft", ...fields, layers: [0], positions: "all" };
    const { rows, x } = await edited(settings, (hooks, h, y) => hooks.block!(1, h) && hooks.block!(0, y), {
      training: false,
    });
    expect(rows).not.toEqual(x);
    const untouched = await edited(
      settings,
      (hooks, h, y) => hooks.block!(0, hooks.block!(1, y)) && hooks.block!(1, h),
      {
        training: false,
      },
    );
    expect(untouched.rows).toEqual(untouched.x);
  });
});

describe("products beside a linear layer", () => {
  const site = MODEL.shape.linears.find(({ path }) => path.endsWith("0.self_attn.q_proj"))!;
  const fields = { rank: 4, alpha: 3, targets: ["q_proj"], layers: "all" } as const;
  it.each<[string, AdapterSettings, Equation, number]>([
    ["lora", { kind: "lora", ...fields }, LORA, 3 / 4],
    ["lora with the scale of rsLoRA", { kind: "lora", ...fields, scale: "rslora" }, LORA, 3 / 2],
    ["lora with dropout", { kind: "lora", ...fields, dropout: RATE }, LORA, 3 / 4],
    ["ffa-lora", { kind: "ffa-lora", ...fields }, LORA, 3 / 4],
    ["tri-lora, basis shared", { kind: "tri-lora", ...fields, basis: "shared" }, TRI_LORA, 3 / 4],
    ["tri-lora, basis personal", { kind: "tri-lora", ...fields, basis: "personal" }, TRI_LORA, 3 / 4],
  ])("%s", async (_, settings, equation, scale) => {
    for (const training of [true, false]) {
      const { rows, x, y, part, masks } = await edited(settings, (hooks, a, b) => hooks.linear!(site, a, b), {
        training,
      });
      const mask = masks[`dropout.${site.path}`];
      const kept = mask ? matrix(mask) : undefined;
      const input = x.map((row, i) => (kept ? row.map((v, k) => (v * kept[i]![k]!) / keptShare(RATE)) : row));
      expectClose(
        rows,
        y.map((row, i) => plus(row, scaled(equation(input[i]!, part(site.path)), scale))),
      );
    }
  });
});
