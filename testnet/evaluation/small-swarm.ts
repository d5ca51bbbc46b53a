/** A few peers in one process without a wire, for trials of what the product does not have: they train, and a trial mixes them. */
import { gaugeKind, retractRotations, rotationGroups } from "../../node/aggregation/index.ts";
import type { ExampleSets, Trainer } from "../../node/interface/trainer.ts";
import { recipeAdapter, recipeFacts, recipeTraining } from "../../node/manifest/recipe.ts";
import { createTrainer } from "../../node/training/trainer.ts";
import { type AdapterSettings, adapterSlots } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { SharedBase } from "./base.ts";
import { embeddedData } from "./embedded-data.ts";
import type { Split } from "./split.ts";

const SIZES = { train: 64, validation: 32, test: 96 };
const SHAPE = { batchSize: 4, maxTokens: 40 } as const;

/** The adapter that a new network has for this base and questions with answers. */
export const trialAdapter = (base: SharedBase): AdapterSettings => recipeAdapter(factsOf(base)).adapter;

const factsOf = ({ model }: SharedBase) => recipeFacts(model, { chat: false, form: "answers" });

/** The divisions by the words of the command line: `iid`, `mixture`, `distinct`, or the concentration of a Dirichlet draw. */
export const splitOf = (word: string): Split =>
  word === "iid" || word === "mixture" || word === "distinct"
    ? { kind: word }
    : { kind: "dirichlet", alpha: Number(word) };

/** Everybody's sets of the embedded tasks. */
export function setsOf(
  base: SharedBase,
  options: { readonly split: Split; readonly peers: number; readonly seed: number },
) {
  return embeddedData({ ...options, ...SHAPE, sizes: SIZES, tokenizer: base.tokenizer }).map(({ sets }) => sets);
}

/** One trainer for each of the sets, with a new network's adapter, rate and schedule, all from one start; they are the caller's to close. */
export function openTrainers(
  base: SharedBase,
  sets: readonly ExampleSets[],
  { seed, totalSteps }: { readonly seed: number; readonly totalSteps: number },
): Promise<readonly Trainer[]> {
  const adapter = trialAdapter(base);
  const training: TrainingSpec = {
    ...{ optimizer: "adamw" as const, weightDecay: 0, gradientClip: 1, ...SHAPE },
    ...recipeTraining(adapter, { layers: base.model.shape.layers, steps: totalSteps }),
  };
  const open = (data: ExampleSets, index: number): Promise<Trainer> =>
    createTrainer(
      { runtime: base.runtime, files: base.files },
      {
        ...{ modelDirectory: base.directory, adapter, training, networkSeed: seed, data, totalSteps },
        peerSeed: createPrng(seed).fork(`trial-peer-${index}`).uint32(),
        engine: { threads: base.threads },
      },
    );
  return Promise.all(sets.map(open));
}

/** The loss of an adapter, f32[P], on a peer's validation set, with its rotations made orthonormal as the trainer would. */
export async function heldOut(trainer: Trainer, adapter: Float32Array, settings: AdapterSettings): Promise<number> {
  const groups = rotationGroups(gaugeKind(settings), adapterSlots(trainer.tensors));
  const retracted = Float32Array.from(retractRotations(adapter, groups));
  return (await trainer.evaluate({ set: "validation", adapter: retracted })).loss;
}
