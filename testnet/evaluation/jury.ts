/** Scores every simulated peer on its own data and on that of the others, after every round and at the end. */

import type { Evaluation, Example } from "../../node/interface/trainer.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { rightShare } from "./answers.ts";
import type { SharedBase } from "./base.ts";
import type { PeerData } from "./peer-data.ts";
import { createScorer } from "./scorer.ts";

/** Examples of a validation set that are looked at after every round; the rounds' cost is to stay that of training. */
export const CURVE_EXAMPLES_MAX = 32;

/** Examples of other peers' test sets, all together. */
export const OTHERS_EXAMPLES_MAX = 128;

/** The scores of one adapter on one set of examples. */
export interface PeerScores extends Evaluation {
  /** Share of questions answered rightly by the data's own way of scoring; absent where that is the exact match. */
  readonly right?: number;
  /** Of the peer's own test set, example by example in their order: 1 where the whole response is predicted, else 0. */
  readonly whole?: string;
}

/** Scores peers, and remembers the scores of all rounds. */
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

/** A jury for peers with these data and adapters of this form. */
export async function createJury(
  base: SharedBase,
  {
    adapter,
    networkSeed,
    data,
    scoresOthers = true,
  }: {
    readonly adapter: AdapterSettings;
    readonly networkSeed: number;
    readonly data: readonly PeerData[];
    /** Whether peers are scored on each other's data too, or their scores there are those of no example; true when absent. */
    readonly scoresOthers?: boolean;
  },
): Promise<Jury> {
  const questions = new Map(data.flatMap((peer) => [...(peer.questions ?? [])]));
  const choices = [...questions.values()].flatMap((one) => (one.kind === "choose" ? one.answers : []));
  const fits = [...data.flatMap(({ sets }) => [...sets.validation, ...sets.test]), ...choices];
  const scorer = await createScorer(base, { adapter, networkSeed, fits });
  const curves = data.map(() => ({ own: [] as PeerScores[], others: [] as PeerScores[] }));
  const othersOf = (peer: number, set: "validation" | "test", max: number): readonly Example[] =>
    scoresOthers ? othersExamples(data, peer, { set, max }) : [];
  const test = async (examples: readonly Example[], theta: Float32Array): Promise<PeerScores> => {
    const asked = examples.flatMap((example) => {
      const question = questions.get(example);
      return question ? [{ example, question }] : [];
    });
    const right = await rightShare({ base, scorer }, asked, { settings: adapter, networkSeed, theta });
    const { whole, ...scores } = await scorer.judge(examples, theta);
    const answers = whole.map(Number).join("");
    return { ...scores, ...(right === undefined ? { whole: answers } : { right }) };
  };
  return {
    look: async (peer, theta) => {
      const own = data[peer]!.sets.validation.slice(0, CURVE_EXAMPLES_MAX);
      curves[peer]!.own.push(await scorer.score(own, theta));
      curves[peer]!.others.push(await scorer.score(othersOf(peer, "validation", CURVE_EXAMPLES_MAX), theta));
    },
    close: async (peer, theta) => ({
      own: await test(data[peer]!.sets.test, theta),
      others: await test(othersOf(peer, "test", OTHERS_EXAMPLES_MAX), theta),
      ownCurve: curves[peer]!.own,
      othersCurve: curves[peer]!.others,
    }),
  };
}

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
