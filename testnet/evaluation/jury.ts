/** Scores every simulated peer on its own data and on that of the others, after every round and at the end. */

import type { Evaluation, Example } from "../../node/interface/trainer.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { SharedBase } from "./base.ts";
import type { PeerData } from "./peer-data.ts";
import { createScorer } from "./scorer.ts";

/** Of the validation sets, what is looked at after every round; the rounds' cost is to stay that of training. */
export const CURVE_EXAMPLES_MAX = 32;

/** Of other peers' test sets, all together. */
export const OTHERS_EXAMPLES_MAX = 128;

export interface PeerScores extends Evaluation {
  /** Share of questions whose right answer was the most likely of those allowed; only for tasks of choosing. */
  readonly chosen?: number;
}

export interface Jury {
  /** A look at the validation sets: before the first round and after each. */
  look(peer: number, theta: Float32Array): Promise<void>;
  /** The test sets, and all looks so far. */
  close(
    peer: number,
    theta: Float32Array,
  ): Promise<{
    readonly own: PeerScores;
    readonly others: PeerScores;
    readonly ownCurve: readonly PeerScores[];
    readonly othersCurve: readonly PeerScores[];
  }>;
}

export async function createJury(
  base: SharedBase,
  {
    adapter,
    networkSeed,
    data,
  }: { readonly adapter: AdapterSettings; readonly networkSeed: number; readonly data: readonly PeerData[] },
): Promise<Jury> {
  const choices = data.flatMap((peer) => [...(peer.choices?.values() ?? [])].flat());
  const fits = [...data.flatMap(({ sets }) => [...sets.validation, ...sets.test]), ...choices];
  const scorer = await createScorer(base, { adapter, networkSeed, fits });
  const curves = data.map(() => ({ own: [] as PeerScores[], others: [] as PeerScores[] }));
  const chosenBy = async (examples: readonly Example[], theta: Float32Array): Promise<Pick<PeerScores, "chosen">> => {
    const questions = examples.map((example) => answersOf(data, example)).filter((answers) => answers.length > 0);
    if (questions.length === 0) return {};
    const losses = await scorer.likelihoods(questions.flat(), theta);
    let [at, right] = [0, 0];
    for (const { length } of questions) {
      const [correct, ...wrong] = losses.slice(at, at + length);
      if (wrong.every((loss) => correct! < loss)) right += 1;
      at += length;
    }
    return { chosen: right / questions.length };
  };
  const test = async (examples: readonly Example[], theta: Float32Array): Promise<PeerScores> => ({
    ...(await scorer.score(examples, theta)),
    ...(await chosenBy(examples, theta)),
  });
  return {
    look: async (peer, theta) => {
      const own = data[peer]!.sets.validation.slice(0, CURVE_EXAMPLES_MAX);
      curves[peer]!.own.push(await scorer.score(own, theta));
      const others = othersExamples(data, peer, { set: "validation", max: CURVE_EXAMPLES_MAX });
      curves[peer]!.others.push(await scorer.score(others, theta));
    },
    close: async (peer, theta) => ({
      own: await test(data[peer]!.sets.test, theta),
      others: await test(othersExamples(data, peer, { set: "test", max: OTHERS_EXAMPLES_MAX }), theta),
      ownCurve: curves[peer]!.own,
      othersCurve: curves[peer]!.others,
    }),
  };
}

const answersOf = (data: readonly PeerData[], example: Example): readonly Example[] =>
  data.find((peer) => peer.choices?.has(example))?.choices?.get(example) ?? [];

/**
 * Held-out examples of the other peers, the same number of each as far as they have them. Peers that have the same single
 * task as this one are no others; where all have, everybody else is one.
 */
export function othersExamples(
  data: readonly PeerData[],
  peer: number,
  { set, max }: { readonly set: "validation" | "test"; readonly max: number },
): readonly Example[] {
  const { task } = data[peer]!;
  const strangers = data.filter((other, i) => i !== peer && (task === undefined || other.task !== task));
  const sets = (strangers.length > 0 ? strangers : data.filter((_, i) => i !== peer)).map(({ sets }) => sets[set]);
  const longest = Math.max(0, ...sets.map(({ length }) => length));
  const dealt = Array.from({ length: longest }, (_, i) =>
    sets.flatMap((one) => (i < one.length ? [one[i]!] : [])),
  ).flat();
  return dealt.slice(0, max);
}
