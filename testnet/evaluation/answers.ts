/**
 * Share of questions that an adapter answers rightly, by the likelihood of given answers or by the text that it writes.
 */

import { adapterMethod } from "../../node/adapter/methods.ts";
import { generate } from "../../node/generation/generate.ts";
import type { UsedAdapter } from "../../node/generation/inference-graph.ts";
import { GREEDY } from "../../node/generation/sampler.ts";
import type { Example } from "../../node/interface/trainer.ts";
import { float32 } from "../../node/tensor.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { SharedBase } from "./base.ts";
import type { Question } from "./peer-data.ts";
import type { Scorer } from "./scorer.ts";

/** An adapter, with the values that it has when it is asked. */
export interface AskedAdapter {
  readonly settings: AdapterSettings;
  readonly networkSeed: number;
  /** All trained values, f32[P]. */
  readonly theta: Float32Array;
}

/** undefined when nothing is asked. Of equally likely answers the right one does not count.  Throws: as `generate`. */
export async function rightShare(
  { base, scorer }: { readonly base: SharedBase; readonly scorer: Scorer },
  asked: readonly { readonly example: Example; readonly question: Question }[],
  adapter: AskedAdapter,
): Promise<number | undefined> {
  if (asked.length === 0) return undefined;
  const answers = asked.map(({ question }) => (question.kind === "choose" ? question.answers : []));
  const losses = await scorer.likelihoods(answers.flat(), adapter.theta);
  let [right, at] = [0, 0];
  for (const { length } of answers) {
    const [correct, ...wrong] = losses.slice(at, at + length);
    if (length > 0 && wrong.every((loss) => correct! < loss)) right += 1;
    at += length;
  }
  for (const { example, question } of asked) {
    if (question.kind === "write" && question.isRight(await written(base, example, { ...question, adapter })))
      right += 1;
  }
  return right / asked.length;
}

async function written(
  base: SharedBase,
  { tokens, promptLength }: Example,
  { tokensMax, adapter }: { readonly tokensMax: number; readonly adapter: AskedAdapter },
): Promise<string> {
  const { model, tokenizer, ownRuntime: runtime, threads } = base;
  const endIds = new Set(tokenizer.endId === undefined ? [] : [tokenizer.endId]);
  const { ids } = await generate(
    { runtime, model, adapter: usedAdapter(base, adapter) },
    { promptIds: tokens.slice(0, promptLength), tokensMax, sampling: GREEDY, seed: 0, endIds, threads },
  );
  return tokenizer.decode(ids);
}

function usedAdapter({ model }: SharedBase, { settings, networkSeed, theta }: AskedAdapter): UsedAdapter {
  const method = adapterMethod(settings);
  const trained = adapterSlots(method.tensors(settings, model.shape)).map(
    ({ name, shape, offset, length }) => [name, float32(shape, theta.slice(offset, offset + length))] as const,
  );
  return { settings, tensors: new Map([...trained, ...method.frozen(settings, model.shape, networkSeed)]) };
}
