/**
 * The exact way in: a weight's gradient is a sum of outer products with the inputs that the weight saw, so its rows lie
 * in the space that those inputs span. Where the text has fewer tokens than the gradient has independent rows, a token is
 * in the text if and only if its input lies in that space, and the onlooker tries every token there is.
 * Source: Petrov et al. 2024, arXiv:2405.15586 (DAGER), carried over to adapters: dA of LoRA spans the inputs x, dB and dC
 * their images A x, and dW of a ReFT kind the residual stream at the positions that it edits.
 */
import { adapterMethod } from "../adapter/methods.ts";
import { sentPart } from "../adapter/sent-part.ts";
import { textGraph } from "../generation/inference-graph.ts";
import type { Runtime } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import { int64 } from "../tensor.ts";
import type { AdaptedModel } from "../training/training-step.ts";
import { adapterInputs } from "./adapter-inputs.ts";
import type { TextShape } from "./matching-graph.ts";
import { distanceToSpace, type RowSpace, rowSpace } from "./row-space.ts";

/** What the onlooker of a span attack knows. */
export interface SpanOptions {
  readonly adapted: AdaptedModel;
  readonly adapter: Float32Array;
  /** The gradient of the tensors that travel, f32[S]. */
  readonly observed: Float32Array;
  readonly shape: TextShape;
  readonly threads: number;
}

/** What a span attack found in a gradient. */
export interface SpanResult {
  /** Tokens that are in the text as far as the gradient says, in order where `inOrder`. */
  readonly tokens: readonly number[];
  readonly inOrder: boolean;
  /** Independent rows of the first layer's gradients that say something. */
  readonly dimensions: number;
}

/** One space of a layer, and what a place's input becomes in it. */
interface Clue {
  readonly place: string;
  readonly space: RowSpace;
  /** A, f32[r, inputs], where the gradient saw A x instead of x. */
  readonly through?: Float32Array;
  /** The end of the prompt whose positions it saw, where the ends have an edit each. */
  readonly end?: "prefix" | "suffix";
}

/**
 * Farther from the space than this a token is not in the text. Those that are in it lie within 1e-4, float32's rounding
 * of a gradient; of others, chance brings few closer than this to one space, and next to none to two at once.
 */
const WITHIN = 0.005;

/** undefined where the gradients have as many rows as columns, or there is none: then nothing follows from them. */
export async function spanAttack(runtime: Runtime, options: SpanOptions): Promise<SpanResult | undefined> {
  const { adapted, shape } = options;
  const cluesOf = clues(options);
  const layers = [...cluesOf.keys()].sort((a, b) => a - b);
  const [first] = layers;
  if (first === undefined) return undefined;
  const { vocabulary } = adapted.model.shape;
  const everything = Array.from({ length: vocabulary }, (_, token) => token);
  const dimensions = Math.max(...cluesOf.get(first)!.map(({ space }) => space.basis.length));
  const edited = editedPositions(options);
  if (edited !== undefined) {
    return {
      tokens: await readInOrder(runtime, options, { layer: first, clues: cluesOf.get(first)!, edited }),
      inOrder: true,
      dimensions,
    };
  }
  const at = { layer: first, clues: cluesOf.get(first)!, explained: [] };
  const { distances } = await distancesOf(runtime, options, { ...at, texts: everything.map((token) => [token]) });
  // A gradient has as many independent rows as the text has different tokens, as long as it has room for them.
  const tokens = everything
    .toSorted((a, b) => distances[a]! - distances[b]!)
    .slice(0, Math.min(dimensions, shape.tokens));
  return { tokens, inOrder: false, dimensions };
}

/** Tokens that are tried between two edited stretches of a prompt, the likeliest by the base model. */
const BETWEEN_MAX = 128;

/** The edited stretches of a prompt: its first positions, and from where on its last ones are. */
interface EditedPositions {
  readonly first: number;
  readonly lastFrom: number;
}

/**
 * Each position's stream depends on all tokens before it, so they are found one after another: the first ones by the
 * prefix's gradient, the last ones by the suffix's. A prompt of odd length has a token between them that no gradient
 * saw by itself; the likeliest few are tried, each with every token behind it.
 */
async function readInOrder(
  runtime: Runtime,
  options: SpanOptions,
  {
    layer,
    clues,
    edited,
  }: { readonly layer: number; readonly clues: readonly Clue[]; readonly edited: EditedPositions },
): Promise<readonly number[]> {
  const { adapted, shape } = options;
  const everything = Array.from({ length: adapted.model.shape.vocabulary }, (_, token) => token);
  let tokens: readonly number[] = [];
  /** What the gradient at hand saw of the tokens that are known. */
  let explained: Float32Array[] = [];
  /** The beginning with a token behind it that lies nearest, unless all are too far. */
  const next = async (
    end: Clue["end"],
    beginnings: readonly (readonly number[])[],
  ): Promise<readonly number[] | undefined> => {
    const own = clues.filter((clue) => clue.end === end || clue.end === undefined);
    const [one] = own;
    if (one === undefined) return undefined;
    const texts = beginnings.flatMap((beginning) => everything.map((token) => [...beginning, token]));
    const { distances, inputs } = await distancesOf(runtime, options, { layer, clues: own, texts, explained });
    const best = distances.reduce((least, distance, i) => (distance < distances[least]! ? i : least), 0);
    if (distances[best]! > WITHIN) return undefined;
    const { columns, rows } = inputs.get(one.place)!;
    explained = [...explained, rows.slice(best * columns, (best + 1) * columns)];
    return texts[best];
  };
  while (tokens.length < edited.first) {
    const longer = await next("prefix", [tokens]);
    if (longer === undefined) return tokens;
    tokens = longer;
  }
  if (edited.lastFrom - edited.first > 1) return tokens;
  if (clues.some(({ end }) => end === "suffix")) explained = [];
  if (edited.lastFrom > edited.first) {
    const likely = await likeliestNext(runtime, options, { tokens, count: BETWEEN_MAX });
    const longer = await next(
      "suffix",
      likely.map((token) => [...tokens, token]),
    );
    if (longer === undefined) return tokens;
    tokens = longer;
  }
  while (tokens.length < shape.promptLength) {
    const longer = await next("suffix", [tokens]);
    if (longer === undefined) return tokens;
    tokens = longer;
  }
  return tokens;
}

/** The likeliest next tokens by the base model alone. */
async function likeliestNext(
  runtime: Runtime,
  { adapted: { model }, threads }: SpanOptions,
  { tokens, count }: { readonly tokens: readonly number[]; readonly count: number },
): Promise<readonly number[]> {
  const { vocabulary } = model.shape;
  if (tokens.length === 0) return Array.from({ length: count }, (_, token) => token);
  const graph = textGraph({ model }, { examples: 1, tokens: tokens.length });
  const session = await runtime.load(encodeModel(graph), { externalData: model.externalData, threads });
  try {
    const { logits } = await session.run({ input_ids: int64([1, tokens.length], [...tokens]) });
    const last = (logits!.data as Float32Array).subarray((tokens.length - 1) * vocabulary);
    return [...last.keys()].sort((a, b) => last[b]! - last[a]!).slice(0, count);
  } finally {
    await session.close();
  }
}

/** undefined for adapters that act on every token. */
function editedPositions({ adapted, shape }: SpanOptions): EditedPositions | undefined {
  if (!adapted.slots.some(({ name }) => /\.W1?$/.test(name))) return undefined;
  const { first, last } = adapterMethod(adapted.adapter).positions(adapted.adapter);
  const half = Math.floor(shape.promptLength / 2);
  return { first: Math.min(first, half), lastFrom: shape.promptLength - Math.min(last, half) };
}

/** By layer, the gradients that leave a direction out. */
function clues({ adapted, adapter, observed }: SpanOptions): ReadonlyMap<number, readonly Clue[]> {
  const { model, adapter: settings, slots, frozen = new Map() } = adapted;
  const sent = sentPart(slots, adapterMethod(settings).sent(settings, model.shape)).slots;
  const valuesOf = (name: string): Float32Array | undefined => {
    const slot = slots.find((one) => one.name === name);
    if (slot) return adapter.subarray(slot.offset, slot.offset + slot.length);
    return frozen.get(name)?.data as Float32Array | undefined;
  };
  const found = new Map<number, Clue[]>();
  const note = (layer: number, clue: Clue): void => {
    const { basis, columns } = clue.space;
    if (basis.length > 0 && basis.length < columns) found.set(layer, [...(found.get(layer) ?? []), clue]);
  };
  const rowsOf = ({ offset, length }: { readonly offset: number; readonly length: number }): Float32Array =>
    observed.subarray(offset, offset + length);
  for (const slot of sent) {
    const linear = /^(.*)\.([ABC])$/.exec(slot.name);
    const site = linear && model.shape.linears.find(({ path }) => path === linear[1]);
    const columns = slot.shape[1] ?? 1;
    if (linear && site) {
      const through = linear[2] === "A" ? undefined : valuesOf(`${linear[1]}.A`);
      if (linear[2] !== "A" && through === undefined) continue;
      note(site.layer, { place: site.path, space: rowSpace(rowsOf(slot), columns), ...(through && { through }) });
      continue;
    }
    const edit = /(\d+)(?:\.(prefix|suffix))?\.W1?$/.exec(slot.name);
    if (edit && slot.shape.length === 2) {
      const end = edit[2] as Clue["end"];
      note(Number(edit[1]), { place: "block", space: rowSpace(rowsOf(slot), columns), ...(end && { end }) });
    }
  }
  return new Map([...found].map(([layer, all]) => [layer, joined(all)]));
}

/** Query, key and value layers see one and the same input: the rows of their dA together span more of it. */
function joined(all: readonly Clue[]): readonly Clue[] {
  const shared = (place: string): string => place.replace(/\.(q|k|v)_proj$/, ".qkv");
  const groups = new Map<string, Clue[]>();
  for (const clue of all) {
    const name = clue.through ? `${clue.place} through A` : `${shared(clue.place)} ${clue.end ?? ""}`;
    groups.set(name, [...(groups.get(name) ?? []), clue]);
  }
  return [...groups.values()].map((group) => {
    if (group.length === 1) return group[0]!;
    const { columns } = group[0]!.space;
    const rows = Float32Array.from(group.flatMap(({ space }) => space.basis.flatMap((row) => [...row])));
    return { ...group[0]!, space: rowSpace(rows, columns) };
  });
}

/**
 * The geometric mean over a layer's clues of how far the last token of each text is from the space: one clue may miss a
 * token (the first position's query changes nothing), while a stranger is far from all. Of each input only what the
 * inputs of known tokens do not explain counts.
 */
async function distancesOf(
  runtime: Runtime,
  { adapted, adapter, threads }: SpanOptions,
  at: {
    readonly layer: number;
    readonly clues: readonly Clue[];
    readonly texts: readonly (readonly number[])[];
    readonly explained: readonly Float32Array[];
  },
): Promise<{
  readonly distances: readonly number[];
  readonly inputs: Awaited<ReturnType<typeof adapterInputs>>;
}> {
  const { layer, texts, explained } = at;
  const inputs = await adapterInputs(runtime, { adapted, adapter, layer, texts, threads });
  const known = rowSpace(Float32Array.from(explained.flatMap((row) => [...row])), explained[0]?.length ?? 0);
  const distances = texts.map((_, n) => {
    const each = at.clues.map(({ place, space, through }) => {
      const { columns, rows } = inputs.get(place)!;
      const x = rows.subarray(n * columns, (n + 1) * columns);
      if (through) return distanceToSpace(space, image(through, x));
      return distanceToSpace(space, without(known, x));
    });
    return Math.exp(each.reduce((sum, distance) => sum + Math.log(distance + 1e-9), 0) / each.length);
  });
  return { distances, inputs };
}

/** The part of x that does not lie in the space. */
function without({ basis }: RowSpace, x: Float32Array): Float64Array {
  const rest = Float64Array.from(x);
  for (const unit of basis) {
    const product = unit.reduce((sum, value, i) => sum + value * rest[i]!, 0);
    for (let i = 0; i < rest.length; i++) rest[i]! -= product * unit[i]!;
  }
  return rest;
}

/** A x. */
function image(A: Float32Array, x: Float32Array): Float64Array {
  return Float64Array.from({ length: A.length / x.length }, (_, i) =>
    x.reduce((sum, value, j) => sum + A[i * x.length + j]! * value, 0),
  );
}
