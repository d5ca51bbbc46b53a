/**
 * The graph of an onlooker that knows the model, the adapter and a gradient, and guesses the text. For each guess it computes
 * the gradient that the guess would have given, the distance to the gradient that was seen, and the direction in which to
 * change the guess.
 */

import { inject } from "../adapter/inject.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { sentPart } from "../adapter/sent-part.ts";
import { gradient } from "../autodiff/gradient.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import type { WeightSource } from "../model/base-model.ts";
import { capped } from "../model/layers/cap.ts";
import { encodeModel } from "../onnx/codec.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { inputValue } from "../onnx/graph.ts";
import {
  add,
  concat,
  div,
  gather,
  gemm,
  ints,
  logSumExp,
  matMul,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  scalar,
  split,
  sqrt,
  sub,
} from "../onnx/operators.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import { float32, type Tensor } from "../tensor.ts";
import { type AdaptedModel, unflatten } from "../training/training-step.ts";

/** The knowledge of the text that the onlooker is granted besides the gradient. */
export interface TextShape {
  /** T */
  readonly tokens: number;
  /** Tokens of the prompt. */
  readonly promptLength: number;
  /** The tokens that are labels, as ranges [from, to); all behind the prompt when absent. */
  readonly learnt?: Example["learnt"];
}

/** p f32[T, V] throughout: how much of each token of the vocabulary stands at each position. */
export interface Score {
  /** 0 where the guess gives the very gradient that was seen; above 2 where it is far from it. */
  readonly distance: number;
  /** How unlikely the model finds the guess as a text: nats per token, the first one left out. */
  readonly surprise: number;
}

/** A guessed text's score, and the direction in which the score changes. */
export interface Guess extends Score {
  /** d distance / d p, f32[T, V]. */
  readonly direction: Float32Array;
  /** d surprise / d p, f32[T, V]. */
  readonly pull: Float32Array;
}

/** Compares the gradients of guessed texts with the gradient that was seen. */
export interface GradientMatcher {
  guess(p: Float32Array): Promise<Guess>;
  /** The same without the slopes, for a fraction of the cost. */
  score(p: Float32Array): Promise<Score>;
  close(): Promise<void>;
}

/** Keeps a division by a norm of 0 finite. */
const TINY = 1e-12;

/**
 * distance = (1/n) sum over the n sent tensors with a gradient of (1 - cos(g_i, o_i)) + |g - o|^2 / |o|^2, where g is the
 * gradient of the sent tensors for the text p and o the one that was seen. The text's embeddings are p E and its labels
 * p itself: loss = mean over labelled t of logsumexp(z_t) - p_(t+1) . z_t.
 * surprise = mean over all t of logsumexp(z_t) - p_(t+1) . z_t, of the prompt too: what the model itself expects of texts.
 * Inputs: p f32[T, V], adapter f32[P], observed f32[S], and the positions.  Outputs: distance f32[], surprise f32[], and with
 * `slopes` direction f32[T, V], by differentiating the gradient once more, and pull f32[T, V].
 * Source: Zhu et al. 2019, arXiv:1906.08935 (DLG); Geiping et al. 2020, arXiv:2003.14053 (cosine); Deng et al. 2021,
 * arXiv:2103.06819 (TAG).
 */
export function matchingGraph(
  adapted: AdaptedModel,
  shape: TextShape,
  live: readonly boolean[],
  { slopes }: { readonly slopes: boolean },
): OnnxGraph {
  const { model, adapter: settings, slots, frozen = new Map() } = adapted;
  const { tokens, promptLength, learnt } = shape;
  const { vocabulary, hidden: width } = model.shape;
  const embedding = model.weights.find(
    (weight) => weight.shape.length === 2 && weight.shape[0] === vocabulary && weight.shape[1] === width,
  );
  if (!embedding) throw new RangeError("the model has no embedding of its vocabulary");
  const p = inputValue("p", "float32", [tokens, vocabulary]);
  const flat = inputValue("adapter", "float32", [slots.reduce((sum, slot) => sum + slot.length, 0)]);
  const own = new Set(slots.map((slot) => slot.name));
  const tensor = unflatten(flat, slots);
  const trained = (name: string): OnnxValue | undefined => (own.has(name) ? tensor(name) : undefined);
  const weight: WeightSource = (wanted) => trained(wanted.name) ?? model.weight(wanted);
  const { inputs, hooks } = inject({
    settings,
    model: model.shape,
    base: model,
    trained,
    frozen,
    examples: 1,
    tokens,
    training: false,
  });
  // The guess takes the table's place, a row for each position.
  const guessed = matMul(p, model.weight(embedding));
  const lookedUp: WeightSource = (wanted) => (wanted.name === embedding.name ? guessed : weight(wanted));
  const inputIds = reshape(ints(Array.from({ length: tokens }, (_, t) => t)), [1, tokens]);
  const stream = model.hidden({ inputIds, weight: lookedUp, hooks });
  const outputMatrix = model.outputMatrix(weight);
  const z = gemm(model.normalize(gather(stream, range(0, tokens - 1)), weight), outputMatrix, {
    transB: true,
    c: model.outputBias?.(weight),
  });
  const logits = capped(z, model.logitCap);
  const each = sub(logSumExp(logits), reduceSum(mul(gather(p, range(1, tokens)), logits), [1], false));
  const surprise = reduceMean(each, [0], false);
  const labelled = (learnt ?? [[promptLength, tokens]]).flatMap(([from, to]) => numbers(from - 1, to - 1));
  const losses = gather(each, ints(labelled));
  const [all] = gradient(reduceMean(losses, [0], false), [flat]);
  const { sent, observed, pieces } = sentGradient(adapted, all!, live);
  const cosines = pieces.map(([g, o]) => {
    const product = reduceSum(mul(g, o), [0], false);
    return div(product, add(sqrt(mul(squares(g), squares(o))), scalar(TINY)));
  });
  const turned = mul(cosines.reduce(add), scalar(-1 / cosines.length));
  const apart = div(squares(sub(sent, observed)), add(squares(observed), scalar(TINY)));
  const distance = add(add(turned, scalar(1)), apart);
  const outputs: Record<string, OnnxValue> = { distance, surprise };
  if (slopes) {
    [outputs.direction] = gradient(distance, [p]) as [OnnxValue];
    [outputs.pull] = gradient(surprise, [p]) as [OnnxValue];
  }
  return forSpeed({ inputs: [p, flat, observed, ...inputs], outputs }).graph;
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const range = (from: number, to: number): OnnxValue => ints(numbers(from, to));
const squares = (x: OnnxValue): OnnxValue => reduceSum(mul(x, x), [0], false);

/** Of the gradient of all trained values what travels, and the tensors of it that have one, beside what was seen. */
function sentGradient({ model, adapter, slots }: AdaptedModel, all: OnnxValue, live: readonly boolean[]) {
  const tensors = adapterMethod(adapter).sent(adapter, model.shape);
  const { slots: sentSlots, length } = sentPart(slots, tensors);
  const observed = inputValue("observed", "float32", [length]);
  const parts = split(
    all,
    slots.map((slot) => slot.length),
    0,
  );
  const byName = new Map(slots.map((slot, i) => [slot.name, parts[i]!]));
  const g = sentSlots.map(({ name }) => byName.get(name)!);
  const o = split(
    observed,
    sentSlots.map((slot) => slot.length),
    0,
  );
  const pieces = g.flatMap((one, i) => (live[i] ? [[one, o[i]!] as const] : []));
  return { sent: concat(g, 0), observed, pieces };
}

/** Build the graph for one gradient and load it. observed f32[S], of the tensors that travel; adapter f32[P], as it was. */
export async function createGradientMatcher(
  runtime: Runtime,
  {
    adapted,
    shape,
    adapter,
    observed,
    threads,
  }: {
    readonly adapted: AdaptedModel;
    readonly shape: TextShape;
    readonly adapter: Float32Array;
    readonly observed: Float32Array;
    readonly threads: number;
  },
): Promise<GradientMatcher> {
  const { model, adapter: settings, slots } = adapted;
  const method = adapterMethod(settings);
  const sent = sentPart(slots, method.sent(settings, model.shape));
  const live = sent.slots.map(({ offset, length }) => observed.subarray(offset, offset + length).some((x) => x !== 0));
  const feeds: Record<string, Tensor> = {
    adapter: float32([adapter.length], adapter),
    observed: float32([observed.length], observed),
    ...interventionFeeds(method.positions(settings), [shape.promptLength], shape.tokens),
  };
  const open = async (slopes: boolean) => {
    const graph = matchingGraph(adapted, shape, live, { slopes });
    const session = await runtime.load(encodeModel(graph), { externalData: model.externalData, threads });
    const names = new Set(graph.inputs.flatMap(({ source }) => (source.kind === "input" ? [source.name] : [])));
    const given = Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
    const run = (p: Float32Array) => session.run({ ...given, p: float32([shape.tokens, model.shape.vocabulary], p) });
    return { run, close: () => session.close() };
  };
  // Each when it is asked for: who only scores pays for no slopes.
  let scoring: ReturnType<typeof open> | undefined;
  let guessing: ReturnType<typeof open> | undefined;
  return {
    guess: async (p) => {
      guessing ??= open(true);
      const { distance, surprise, direction, pull } = await (await guessing).run(p);
      return {
        distance: Number(distance!.data[0]),
        surprise: Number(surprise!.data[0]),
        direction: direction!.data as Float32Array,
        pull: pull!.data as Float32Array,
      };
    },
    score: async (p) => {
      scoring ??= open(false);
      const { distance, surprise } = await (await scoring).run(p);
      return { distance: Number(distance!.data[0]), surprise: Number(surprise!.data[0]) };
    },
    close: async () => {
      await (await scoring)?.close();
      await (await guessing)?.close();
    },
  };
}
