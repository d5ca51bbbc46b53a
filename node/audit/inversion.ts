/**
 * The attacks on every kind of adapter, run on one's own examples, show what can be read out of one update. The onlooker is
 * granted more than a neighbour has: the exact gradient of a single text, its length and the length of its prompt. So an
 * adapter that is safe here is safe there.
 */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { NodeError } from "../errors.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example, ExampleSets } from "../interface/trainer.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { privateUpdate } from "../privacy/private-update.ts";
import { createTrainer } from "../training/trainer.ts";
import type { AdaptedModel } from "../training/training-step.ts";
import { type Descent, matchGradient } from "./gradient-matching.ts";
import { createGradientMatcher } from "./matching-graph.ts";
import { seenGradient } from "./seen-gradient.ts";
import { spanAttack } from "./span-attack.ts";
import { meanOverlap, type TokenOverlap, tokenOverlap } from "./token-overlap.ts";

/** Which adapters are attacked, on which texts, and with how much effort. */
export interface InversionOptions {
  readonly modelDirectory: string;
  readonly data: ExampleSets;
  /** Adapters by the name they are reported under. */
  readonly adapters: Readonly<Record<string, AdapterSettings>>;
  readonly training: TrainingSpec;
  /** Texts of the test set that are attacked. */
  readonly texts: number;
  /** Local steps on the training set before, so that the adapter is no longer where everybody knows it starts. */
  readonly steps: number;
  /** Steps of descent of each attempt, and attempts; without any no text is searched for, only the span is read. */
  readonly effort: {
    readonly steps: number;
    readonly attempts: number;
    /** Tokens tried in a place where any may stand, and most passes over all places; 12 of each when absent. */
    readonly candidates?: number;
    readonly passes?: number;
    /** How a search descends, each a search of its own; by Adam when absent. */
    readonly descents?: readonly Descent[];
  };
  /** Noise on the gradient, as on one example's share of a private step. */
  readonly privacy?: Pick<PrivacySettings, "clip" | "noise">;
  readonly seed: number;
  readonly threads: number;
  readonly onText?: (adapter: string, text: number) => void;
}

/** One text and what the attack recovered of it. */
export interface AttackedText {
  readonly tokens: readonly number[];
  readonly guess: readonly number[];
  readonly overlap: TokenOverlap;
}

/** By no update, by the rows' space, and by the nearest gradient, to which Adam or L-BFGS leads. */
export type AttackName = "prior" | "span" | "matching" | "matching by L-BFGS";

/** The result of one attack on one adapter. */
export interface AttackResult extends TokenOverlap {
  readonly adapter: string;
  readonly attack: AttackName;
  /** Values of the update. */
  readonly sent: number;
  readonly texts: readonly AttackedText[];
}

/** Throws: as `createTrainer`; CONFIG_INVALID for a classifier or without texts. */
export async function auditInversion(
  { runtime, files, random }: { readonly runtime: Runtime; readonly files: ModelFiles; readonly random: RandomSource },
  options: InversionOptions,
): Promise<readonly AttackResult[]> {
  const model = loadBaseModel(files);
  if (model.classifier) throw new NodeError("CONFIG_INVALID", "the audit reads language models; this is a classifier");
  const texts = options.data.test.slice(0, options.texts);
  if (texts.length === 0) throw new NodeError("DATA_TOO_SMALL", "the audit needs at least one test example");
  const results: AttackResult[] = [];
  for (const [name, settings] of Object.entries(options.adapters)) {
    const method = adapterMethod(settings);
    const slots = adapterSlots(method.tensors(settings, model.shape));
    const frozen = method.frozen(settings, model.shape, options.seed);
    const adapted: AdaptedModel = { model, adapter: settings, slots, frozen };
    const adapter = await trainedAdapter({ runtime, files }, settings, options);
    const attacked = new Map<AttackName, AttackedText[]>();
    let sent = 0;
    for (const [index, text] of texts.entries()) {
      options.onText?.(name, index);
      const exact = await seenGradient(runtime, { adapted, example: text, adapter, threads: options.threads });
      sent = exact.length;
      const observed = noised(exact, options.privacy, random);
      const guesses = await attack(runtime, { adapted, adapter, observed, text, options, index });
      const withPrior = { prior: commonest(options.data.train, text.tokens.length), ...guesses };
      for (const [kind, guess] of Object.entries(withPrior) as [AttackName, readonly number[]][]) {
        const all = attacked.get(kind) ?? [];
        attacked.set(kind, [...all, { tokens: text.tokens, guess, overlap: tokenOverlap(text.tokens, guess) }]);
      }
    }
    for (const [kind, all] of attacked) {
      results.push({
        adapter: name,
        attack: kind,
        sent,
        ...meanOverlap(all.map(({ overlap }) => overlap)),
        texts: all,
      });
    }
  }
  return results;
}

async function attack(
  runtime: Runtime,
  {
    adapted,
    adapter,
    observed,
    text,
    options,
    index,
  }: {
    readonly adapted: AdaptedModel;
    readonly adapter: Float32Array;
    readonly observed: Float32Array;
    readonly text: Example;
    readonly options: InversionOptions;
    readonly index: number;
  },
): Promise<Partial<Record<AttackName, readonly number[]>>> {
  const { threads, effort, seed } = options;
  const { descents = ["adam"], ...work } = effort;
  const { promptLength, learnt } = text;
  const shape = { tokens: text.tokens.length, promptLength, ...(learnt && { learnt }) };
  const span = await spanAttack(runtime, { adapted, adapter, observed, shape, threads });
  const read = span?.tokens ?? [];
  if (effort.attempts === 0) return { span: read };
  const matcher = await createGradientMatcher(runtime, { adapted, shape, adapter, observed, threads });
  try {
    const guesses: Partial<Record<AttackName, readonly number[]>> = { span: read };
    for (const descent of descents) {
      const { tokens } = await matchGradient(matcher, {
        shape,
        vocabulary: adapted.model.shape.vocabulary,
        prng: createPrng(seed).fork(`attack-${index}`),
        candidates: 12,
        passes: 12,
        ...work,
        descent,
        ...(span && { known: span }),
        frame: frameOf(options.data.train),
      });
      guesses[descent === "adam" ? "matching" : "matching by L-BFGS"] = tokens;
    }
    return guesses;
  } finally {
    await matcher.close();
  }
}

/** The adapter after some local steps, all its trained values. */
async function trainedAdapter(
  dependencies: { readonly runtime: Runtime; readonly files: ModelFiles },
  adapter: AdapterSettings,
  { modelDirectory, data, training, seed, threads, steps }: InversionOptions,
): Promise<Float32Array> {
  const trainer = await createTrainer(dependencies, {
    modelDirectory,
    adapter,
    training,
    networkSeed: seed,
    peerSeed: seed,
    data,
    engine: { threads },
    totalSteps: steps,
  });
  try {
    if (steps > 0) await trainer.train({ steps });
    return (await trainer.state()).adapter;
  } finally {
    await trainer.close();
  }
}

function noised(exact: Float32Array, privacy: InversionOptions["privacy"], random: RandomSource): Float32Array {
  if (privacy === undefined) return exact;
  const zero = new Float32Array(exact.length);
  return Float32Array.from(privateUpdate({ start: zero, before: zero, after: exact, ...privacy, random }));
}

/** The tokens that all such texts begin and end with. Everybody who knows the format knows them. */
function frameOf(examples: readonly Example[]): { readonly first?: number; readonly last?: number } {
  const [first, last] = [0, -1].map((at) => {
    const [one, ...others] = new Set(examples.map(({ tokens }) => tokens.at(at)));
    return others.length === 0 ? one : undefined;
  });
  return { ...(first !== undefined && { first }), ...(last !== undefined && { last }) };
}

/** The guess of an onlooker that has seen no update: the commonest tokens of such data. */
function commonest(examples: readonly Example[], count: number): readonly number[] {
  const counts = new Map<number, number>();
  for (const { tokens } of examples) for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  const ranked = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
  return ranked.slice(0, count);
}
