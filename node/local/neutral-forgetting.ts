/** What a training has made a model forget that no task of it is about: its loss on neutral text, before and after. */
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Example } from "../interface/trainer.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { evaluateLocally } from "./local-training.ts";
import { NEUTRAL_TEXT } from "./neutral-text.ts";
import type { OpenedModel } from "./stored-adapter.ts";

/** Losses on the neutral text, in nats per token. */
export interface NeutralForgetting {
  /** Of the base model. */
  readonly before: number;
  /** With the adapter. */
  readonly after: number;
  /** Half of the 95 % interval of after - before, over texts like these. */
  readonly interval: number;
  readonly texts: number;
  readonly tokens: number;
}

/** One part of so many of a text is the prompt, in which ReFT intervenes; the loss is that of the rest. */
const PROMPT_PARTS = 3;

/** Of a normal distribution: 95 % lies within so many deviations. */
const DEVIATIONS_95 = 1.96;

/** Undefined for a classifier, which continues no text.  Throws: as evaluateLocally. */
export async function neutralForgetting(
  opened: OpenedModel,
  adapter: SavedAdapter,
  engine: EngineOptions,
): Promise<NeutralForgetting | undefined> {
  const { model, files } = opened;
  if (model.classifier !== undefined) return undefined;
  const tokenizer = tokenizerOfFiles(files);
  const test = NEUTRAL_TEXT.map((text): Example => {
    const tokens = tokenizer.encode(text, { special: true }).slice(0, model.shape.contextTokens);
    return { tokens, promptLength: Math.ceil(tokens.length / PROMPT_PARTS) };
  });
  const options = { opened, data: { train: [], validation: [], test }, set: "test", engine, perExample: true } as const;
  const before = await evaluateLocally(options);
  const after = await evaluateLocally({ ...options, adapter });
  return {
    ...{ before: before.loss, after: after.loss, texts: test.length, tokens: before.tokens },
    interval: differenceInterval(before.exampleLosses ?? [], after.exampleLosses ?? [], before.tokens),
  };
}

/** Of sums of losses of the same texts: 1.96 sqrt(n sum (d - mean d)^2 / (n - 1)) / tokens, d the differences. */
function differenceInterval(before: readonly number[], after: readonly number[], tokens: number): number {
  const differences = before.map((loss, i) => (after[i] ?? Number.NaN) - loss);
  const n = differences.length;
  const mean = differences.reduce((sum, one) => sum + one, 0) / n;
  const squares = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return (DEVIATIONS_95 * Math.sqrt((n * squares) / (n - 1))) / tokens;
}
