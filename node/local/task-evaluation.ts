/** Items of tasks put to a model: choices by their likelihood, written answers greedily; as lm-evaluation-harness does it. */
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { BUCKETS_MAX } from "../data/bucket.ts";
import { NodeError } from "../errors.ts";
import { generate } from "../generation/generate.ts";
import { GREEDY } from "../generation/sampler.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { createEvaluator } from "../training/evaluator.ts";
import { type OpenedModel, usedAdapter } from "./stored-adapter.ts";
import { type ChooseItem, isChoice, type TaskItem, type WriteItem } from "./task-items.ts";
import { type ChoiceMeasures, choiceMeasures, type TextMeasures, textMeasures } from "./task-measures.ts";

/** A model, with or without an adapter, and what it is asked. */
export interface TaskEvaluationOptions {
  readonly opened: OpenedModel;
  readonly adapter?: SavedAdapter | undefined;
  readonly items: readonly TaskItem[];
  /** Threads and device count. */
  readonly engine: EngineOptions;
  readonly signal: AbortSignal;
  readonly onItem?: (done: number) => void;
}

/** The measures of one task. */
export type TaskMeasures = { readonly task: string } & (ChoiceMeasures | TextMeasures);

/** Every task, in order of appearance.  Throws: CONFIG_INVALID for a classifier; DATA_FORMAT for a task of both sorts of items. */
export async function evaluateTasks(options: TaskEvaluationOptions): Promise<readonly TaskMeasures[]> {
  const { opened, items, engine } = options;
  if (opened.model.classifier) {
    throw new NodeError("CONFIG_INVALID", "tasks are put to language models, and this model is a classifier");
  }
  const parts = byTask(items);
  const runtime = createOnnxRuntime(engine.device === undefined ? {} : { device: engine.device });
  const asked = { ...options, runtime, tokenizer: tokenizerOfFiles(opened.files) };
  const choices = items.filter(isChoice);
  const likelihoods = new Map(choices.length === 0 ? [] : await logLikelihoods(choices, asked));
  const measured: TaskMeasures[] = [];
  let done = 0;
  for (const [task, part] of parts) {
    const chosen = part.filter(isChoice);
    if (chosen.length > 0) {
      const scored = chosen.map((item) => ({
        logLikelihoods: likelihoods.get(item)!,
        lengths: item.choices.map((choice) => [...choice].length),
        answer: item.answer,
      }));
      measured.push({ task, ...choiceMeasures(scored) });
      done += chosen.length;
      options.onItem?.(done);
      continue;
    }
    const scored = [];
    for (const item of part as readonly WriteItem[]) {
      options.signal.throwIfAborted();
      scored.push({ answer: extracted(await written(item, asked), item), target: item.target });
      options.onItem?.(++done);
    }
    measured.push({ task, ...textMeasures(scored) });
  }
  return measured;
}

function byTask(items: readonly TaskItem[]): ReadonlyMap<string, readonly TaskItem[]> {
  const parts = new Map<string, TaskItem[]>();
  for (const item of items) {
    const part = parts.get(item.task) ?? [];
    if (part.length > 0 && isChoice(part[0]!) !== isChoice(item)) {
      const text = `task ${item.task} has items with choices and others without; give these a name of their own`;
      throw new NodeError("DATA_FORMAT", text, { task: item.task });
    }
    parts.set(item.task, [...part, item]);
  }
  return parts;
}

type Asked = TaskEvaluationOptions & { readonly runtime: Runtime; readonly tokenizer: Tokenizer };

/**
 * Prompt and continuation as one text, and the prompt by itself: the tokens behind so many as the prompt has are the
 * continuation's. Blanks at the prompt's end belong to the continuation. What does not fit is cut off in front.
 */
export function pairExample(
  { prompt, continuation }: { readonly prompt: string; readonly continuation: string },
  { tokenizer, contextTokens }: { readonly tokenizer: Tokenizer; readonly contextTokens: number },
): Example {
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const context = prompt.trimEnd();
  const whole = [...begin, ...tokenizer.encode(prompt + continuation)];
  const promptLength = begin.length + tokenizer.encode(context).length;
  const cut = Math.max(0, whole.length - contextTokens);
  return { tokens: whole.slice(cut), promptLength: Math.max(1, promptLength - cut) };
}

async function logLikelihoods(
  items: readonly ChooseItem[],
  { opened: { model }, adapter, engine, runtime, tokenizer }: Asked,
): Promise<readonly (readonly [ChooseItem, readonly number[]])[]> {
  const settings = adapter?.settings ?? NO_EDIT;
  const seed = adapter?.seed ?? 0;
  const method = adapterMethod(settings);
  const { contextTokens } = model.shape;
  const examples = items.map(({ prompt, choices, delimiter }) =>
    choices.map((choice) => pairExample({ prompt, continuation: delimiter + choice }, { tokenizer, contextTokens })),
  );
  const evaluator = createEvaluator({
    runtime,
    adapted: {
      model,
      adapter: settings,
      slots: adapterSlots(adapter?.tensors ?? method.tensors(settings, model.shape)),
      frozen: method.frozen(settings, model.shape, seed),
    },
    sessionOptions: {
      externalData: model.externalData,
      ...(engine.threads !== undefined && { threads: engine.threads }),
    },
    data: { train: [], validation: [], test: examples.flat() },
    feeding: { counts: method.positions(settings), classifies: false },
    bucketsMax: BUCKETS_MAX,
  });
  try {
    const theta = adapter?.values ?? method.start(settings, model.shape, seed);
    const losses = await evaluator.exampleLosses({ set: "test", adapter: theta });
    let at = 0;
    return items.map((item, i) => {
      const own = losses.slice(at, (at += examples[i]!.length));
      return [item, own.map((loss) => -loss)] as const;
    });
  } finally {
    await evaluator.close();
  }
}

/** What the common start of any adapter computes is the base model. */
const NO_EDIT = { kind: "loreft", rank: 1, layers: [0], positions: "all" } as const;

async function written({ prompt, until, tokensMax }: WriteItem, asked: Asked): Promise<string> {
  const { opened, adapter, runtime, tokenizer, engine, signal } = asked;
  const { model } = opened;
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const room = Math.max(1, model.shape.contextTokens - tokensMax);
  const promptIds = [...begin, ...tokenizer.encode(prompt)].slice(-room);
  const { ids } = await generate(
    { runtime, model, ...(adapter && { adapter: usedAdapter(adapter, model) }) },
    {
      promptIds,
      tokensMax,
      sampling: GREEDY,
      seed: 0,
      endIds: new Set(tokenizer.endId === undefined ? [] : [tokenizer.endId]),
      ...(engine.threads !== undefined && { threads: engine.threads }),
      signal,
    },
  );
  // What the prompt's tokens are among is what decides the blank in front of the first word.
  const text = tokenizer.decode([...promptIds, ...ids]).slice(tokenizer.decode(promptIds).length);
  return until.reduce((kept, end) => kept.split(end, 1)[0]!, text);
}

/** The last match of the item's expression, or its first group; the text without blanks around it where there is none. */
export function extracted(text: string, { extract }: Pick<WriteItem, "extract">): string {
  if (extract === undefined) return text.trim();
  const last = [...text.matchAll(new RegExp(extract, "gu"))].at(-1);
  return last === undefined ? "" : (last[1] ?? last[0]).trim();
}
