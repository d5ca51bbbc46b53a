/** The documents that the embedded base model is pre-trained on: running text and base tasks, from one seed. */
import { createPrng, type Prng } from "../../protocol/prng.ts";
import { BASE_KINDS } from "../data/embedded/base-kinds.ts";
import { pretrainingText } from "../data/embedded/stories.ts";
import { TUNED_KINDS } from "../data/embedded/tuned-kinds.ts";

/** A document: the prompt is empty for running text; prompt + response is what the model reads. */
export interface PretrainingDocument {
  readonly prompt: string;
  readonly response: string;
  /** `story`, or the name of the task's kind. */
  readonly kind: string;
}

/** How much text is made, and from which seed. */
export interface CorpusOptions {
  readonly seed: number;
  /** Number of documents. */
  readonly count: number;
  /** Share of documents that are tasks; the rest is running text. */
  readonly taskShare?: number;
}

/** Most of the documents are tasks, because the skills that fine-tuning puts together are learned from them. */
export const TASK_SHARE = 0.75;

/** `count` documents in random order; the same seed gives the same documents, a longer corpus starts with a shorter one. */
export function pretrainingDocuments(options: CorpusOptions): PretrainingDocument[] {
  return [...pretrainingStream(options)];
}

/** The same documents one by one, for a corpus that need not be held in memory. */
export function* pretrainingStream({
  seed,
  count,
  taskShare = TASK_SHARE,
}: CorpusOptions): Generator<PretrainingDocument> {
  const prng = createPrng(seed).fork("pretraining-corpus");
  for (let i = 0; i < count; i++) yield prng.uniform() < taskShare ? taskDocument(prng) : storyDocument(prng);
}

/** Texts to learn a vocabulary from: a corpus, and some prompts of the tuned kinds so that their words are known. */
export function tokenizerTexts({ seed, count }: { readonly seed: number; readonly count: number }): string[] {
  const prng = createPrng(seed).fork("tokenizer-texts");
  const documents = pretrainingDocuments({ seed, count }).map(({ prompt, response }) => prompt + response);
  const tuned = TUNED_KINDS.flatMap((kind) =>
    Array.from({ length: Math.ceil(count / 100) }, () => kind.generate(prng)).map(
      ({ prompt, response }) => prompt + response,
    ),
  );
  return [...documents, ...tuned];
}

function storyDocument(prng: Prng): PretrainingDocument {
  return { prompt: "", response: pretrainingText(prng, 1)[0]!, kind: "story" };
}

function taskDocument(prng: Prng): PretrainingDocument {
  const kind = BASE_KINDS[prng.below(BASE_KINDS.length)]!;
  return { ...kind.generate(prng), kind: kind.name };
}
