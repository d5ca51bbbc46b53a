/**
 * What holds for every adapter method, run on a small random Llama by `methods.test.ts`: the start edits nothing, the
 * edit is the method's equation, gradients agree with finite differences, peers derive the same values.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { describe, expect, it } from "vitest";
import type { AdapterSettings, AdapterSlot } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { gemm } from "../onnx/operators.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import { logitsGraph, trainingStepGraph } from "../training/training-step.ts";
import { dropoutFeeds } from "./dropout.ts";
import { adapterMethod } from "./methods.ts";
import { interventionFeeds } from "./positions.ts";
import { sentPart } from "./sent-part.ts";
import { inputFeeds, labelFeeds, PROMPTS, SHAPE, smallLlama, withSession } from "./small-llama.suite.ts";

export interface MethodCase {
  readonly settings: AdapterSettings;
  /** Names of all tensors by role, such as `layers.0.prefix.R`. */
  readonly sent: readonly string[];
  readonly kept?: readonly string[];
  readonly frozen?: readonly string[];
  /**
   * Endings of tensors whose gradient holds a part of the edit constant, as the method says: it is no slope of the loss, and is held to
   * PyTorch (interchange/peft-golden.test.ts).
   */
  readonly held?: readonly string[];
  /** Endings of the tensors whose gradient is not zero at the start. */
  readonly moves: readonly string[];
  /** First 16 digits of the SHA-256 of all names, shapes and start values for network seed 7: peers share these bits. */
  readonly bits: string;
}

const SEED = 7;
const MODEL = smallLlama();
const ROWS = SHAPE.examples * SHAPE.tokens;

/** Everything that a graph of the method is made and fed with. */
function prepare(settings: AdapterSettings) {
  const method = adapterMethod(settings);
  const slots = adapterSlots(method.tensors(settings, MODEL.shape));
  const frozen = method.frozen(settings, MODEL.shape, SEED);
  const start = method.start(settings, MODEL.shape, SEED);
  const positions = interventionFeeds(method.positions(settings), PROMPTS, SHAPE.tokens);
  const masks = dropoutFeeds(method.dropout(settings, MODEL.shape), ROWS, createPrng(3));
  return {
    method,
    slots,
    frozen,
    start,
    positions,
    masks,
    adapted: { model: MODEL, adapter: settings, slots, frozen },
  };
}

/** A point away from the start, of about the size of trained values, with valid rotations. */
function somewhere({ method, slots, start }: ReturnType<typeof prepare>): Float32Array {
  const prng = createPrng(11);
  const theta = start.map((x) => x + 0.2 * prng.normal());
  method.retract(slots, theta);
  return theta;
}

const vector = (theta: Float32Array): Tensor => float32([theta.length], theta);

export function describeMethod(title: string, expected: MethodCase): void {
  const { settings } = expected;
  const prepared = prepare(settings);
  const { method, slots, frozen, start, positions, masks, adapted } = prepared;

  describe(title, () => {
    it("names its tensors, each once and with its role", () => {
      const sent = method.sent(settings, MODEL.shape).map(({ name }) => name);
      const trained = slots.map(({ name }) => name);
      expect(sent).toEqual(expected.sent);
      expect(trained.filter((name) => !sent.includes(name))).toEqual(expected.kept ?? []);
      expect([...frozen.keys()]).toEqual(expected.frozen ?? []);
      expect(new Set([...trained, ...frozen.keys()]).size).toBe(trained.length + frozen.size);
      expect(start.length).toBe(parameterCount(slots));
      expect(sentPart(slots, method.sent(settings, MODEL.shape)).slots.map(({ name }) => name)).toEqual(sent);
    });

    it("starts from the same bits on every peer, and from others in another network", () => {
      expect(digest(slots, start, frozen)).toBe(expected.bits);
      const again = prepare(settings);
      expect([again.start, again.frozen]).toEqual([start, frozen]);
      const values = (seed: number) => [
        method.start(settings, MODEL.shape, seed),
        method.frozen(settings, MODEL.shape, seed),
      ];
      expect(values(8)).not.toEqual(values(SEED));
    });

    it("edits nothing at the start", async () => {
      const { hidden, normalize, outputMatrix, weight } = MODEL;
      const graph = logitsGraph(adapted, SHAPE);
      const inputIds = graph.inputs[0]!;
      const rows = normalize(hidden({ inputIds, weight, hooks: {} }), weight);
      const plain = { inputs: [inputIds], outputs: { logits: gemm(rows, outputMatrix(weight), { transB: true }) } };
      const feeds = { ...inputFeeds(), ...positions, adapter: vector(start) };
      const base = await withSession(plain, MODEL, async (session) => (await session.run(inputFeeds())).logits!.data);
      const own = await withSession(graph, MODEL, async (session) => (await session.run(feeds)).logits!.data);
      expect(relativeError(own as Float32Array, base as Float32Array)).toBeLessThan(1e-5);
    });

    it("has first gradients where it can learn, and finite differences elsewhere agree with every gradient", async () => {
      const feeds = { ...inputFeeds(), ...labelFeeds(), ...positions, ...masks };
      const graph = trainingStepGraph(adapted, SHAPE);
      const theta = somewhere(prepared);
      const [first, gradient] = await withSession(graph, MODEL, async (session) => {
        const at = async (place: Float32Array): Promise<Float32Array> =>
          Float32Array.from((await session.run({ ...feeds, adapter: vector(place) })).gradient!.data as Float32Array);
        return [await at(start), await at(theta)];
      });
      for (const { name, offset, length } of slots) {
        const moves = first!.subarray(offset, offset + length).some((g) => Math.abs(g) > 1e-7);
        expect(moves, `first gradient of ${name}`).toBe(expected.moves.some((end) => name.endsWith(end)));
      }
      // The loss alone, a third of a step's work: it is taken four times for each value.
      const forward = { inputs: graph.inputs, outputs: { loss: graph.outputs.loss! } };
      const slopes = await withSession(forward, MODEL, (session) =>
        finiteDifferences(theta, async (moved) =>
          Number((await session.run({ ...feeds, adapter: vector(moved) })).loss!.data[0]),
        ),
      );
      for (const { name, offset, length } of slots) {
        const [g, s] = [gradient!, slopes].map((all) => all.subarray(offset, offset + length)) as [
          Float32Array,
          Float64Array,
        ];
        expect(Math.hypot(...g), `size of the gradient of ${name}`).toBeGreaterThan(1e-4);
        if (expected.held?.some((end) => name.endsWith(end))) continue;
        expect(relativeError(g, s), `gradient of ${name}`).toBeLessThan(TOLERANCE);
      }
    });

    it("retracts to values that it then leaves alone", () => {
      const once = start.map((x, i) => x + 0.3 * Math.sin(i));
      const bent = once.slice();
      method.retract(slots, once);
      const twice = once.slice();
      method.retract(slots, twice);
      expect(largestDifference(once, twice)).toBeLessThan(2e-7);
      for (const slot of slots) {
        const [before, after] = [bent, once].map((theta) => theta.subarray(slot.offset, slot.offset + slot.length));
        if (slot.name.endsWith(".R")) expect(rowsError(after!, slot.shape), slot.name).toBeLessThan(1e-6);
        else expect(after, slot.name).toEqual(before);
      }
    });
  });
}

/**
 * Steps h of 0.02 in f32: the loss is rounded to about 2e-7, so a slope to about 1e-5, and gradients of 1e-2 and more to
 * 1e-3 of the tensor's largest; the five-point rule leaves h^4 of truncation. Smallest tensors have gradients of 1e-3.
 */
const TOLERANCE = 2e-2;
const H = 0.02;

/** dL/dx ~ (8 (L(x+h) - L(x-h)) - (L(x+2h) - L(x-2h))) / 12 h for every value. */
async function finiteDifferences(
  theta: Float32Array,
  loss: (theta: Float32Array) => Promise<number>,
): Promise<Float64Array> {
  const slopes = new Float64Array(theta.length);
  for (let i = 0; i < theta.length; i++) {
    const at = (step: number): Promise<number> => {
      const moved = theta.slice();
      moved[i]! += step;
      return loss(moved);
    };
    const near = (await at(H)) - (await at(-H));
    const far = (await at(2 * H)) - (await at(-2 * H));
    slopes[i] = (8 * near - far) / (12 * H);
  }
  return slopes;
}

function digest(slots: readonly AdapterSlot[], start: Float32Array, frozen: ReadonlyMap<string, Tensor>): string {
  const hash = sha256.create();
  const put = (name: string, shape: readonly number[], values: Float32Array): void => {
    hash.update(new TextEncoder().encode(`${JSON.stringify([name, shape])}\n`));
    hash.update(new Uint8Array(values.slice().buffer));
  };
  for (const { name, shape, offset, length } of slots) put(name, shape, start.subarray(offset, offset + length));
  for (const [name, { shape, data }] of frozen) put(name, shape, data as Float32Array);
  return bytesToHex(hash.digest()).slice(0, 16);
}

/** Largest difference over the largest expected value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const scale = Math.max(...Array.from(expected, Math.abs));
  return largestDifference(actual, expected) / scale;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
}

/** Largest entry of |R R^T - I|. */
function rowsError(R: ArrayLike<number>, [rank, columns]: readonly number[]): number {
  let largest = 0;
  for (let i = 0; i < rank!; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = i === j ? -1 : 0;
      for (let k = 0; k < columns!; k++) dot += R[i * columns! + k]! * R[j * columns! + k]!;
      largest = Math.max(largest, Math.abs(dot));
    }
  }
  return largest;
}
