/** Training on this machine, without any network. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { isOwnKind, type OwnKindSource, openOwnKind } from "../adapter/own-kind.ts";
import { NodeError } from "../errors.ts";
import type { Evaluation, ExampleSets } from "../interface/trainer.ts";
import { loadExamples } from "../local/data-source.ts";
import { trainingMemory } from "../local/fit.ts";
import { type LocalTrainingResult, stepsOfEpochs, trainLocally } from "../local/local-training.ts";
import { factsOfModel, formOfExamples } from "../local/recipe-source.ts";
import { recipeAdapter, recipeTraining } from "../manifest/recipe.ts";
import { UsableAdapter } from "./adapter.ts";
import { sourceOf } from "./data-argument.ts";
import { type LoadedModel, modelOf } from "./model.ts";
import { EPOCHS, trainingDefaults } from "./training-defaults.ts";
import type { Adapter, AdapterFacts, TrainedAdapter, TrainOptions } from "./types.ts";

/** An adapter with the scores of its training. */
class JustTrained extends UsableAdapter implements TrainedAdapter {
  readonly before: Evaluation;
  readonly after?: Evaluation;
  readonly steps: number;

  constructor(model: LoadedModel, result: LocalTrainingResult, facts: AdapterFacts) {
    super(model, result.adapter, { ...facts, stopped: result.stopped });
    this.before = result.before;
    if (result.after !== undefined) this.after = result.after;
    this.steps = result.steps;
  }
}

/** As `train` of the library.  Throws: what model, adapter, settings or data are refused with; TRAINING_DIVERGED. */
export async function trainAdapter(options: TrainOptions): Promise<TrainedAdapter> {
  const { seed = 0, engine = {}, signal = new AbortController().signal, onStep } = options;
  const from = adapterOf(options.from);
  const model = from?.model ?? modelOf(options.model);
  const { opened, directory } = model;
  const asked = { ...trainingDefaults(), ...options.training };
  const maxTokens = Math.min(asked.maxTokens, opened.model.shape.contextTokens);
  const loaded = await loadExamples({
    ...sourceOf(options.data),
    modelDirectory: directory,
    maxTokens,
    batchSize: asked.batchSize,
    seed,
  });
  const steps = options.steps ?? stepsOfEpochs(options.epochs ?? EPOCHS, loaded.sets, asked);
  const adapter = from?.settings ?? (await settingsOf(options.adapter, model, loaded.sets));
  const training = { ...asked, ...rateOf(options, adapter, model, steps), maxTokens };
  trainingMemory({ modelDirectory: directory, adapter, training, data: loaded.sets, engine });
  const result = await trainLocally({
    ...{ opened, modelDirectory: directory, adapter, training, data: loaded.sets, steps, engine, signal },
    from: from?.saved,
    seed: from?.saved.seed ?? seed,
    dataSeed: seed,
    ...(onStep && { onStep: (step, loss) => onStep({ step, steps, loss }) }),
  });
  return new JustTrained(model, result, { trained: loaded.trainedData, data: options.data, dataSeed: seed });
}

function adapterOf(given: Adapter | undefined): UsableAdapter | undefined {
  if (given === undefined || given instanceof UsableAdapter) return given;
  throw new NodeError("CONFIG_INVALID", "from: give an adapter of train or loadAdapter");
}

async function settingsOf(
  given: AdapterSettings | OwnKindSource | undefined,
  { opened }: LoadedModel,
  sets: ExampleSets,
): Promise<AdapterSettings> {
  if (given === undefined) return recipeAdapter(factsOfModel(opened, formOfExamples(sets.train))).adapter;
  return "module" in given && !("kind" in given) ? await openOwnKind(given) : (given as AdapterSettings);
}

/** The rate and the schedule that suit the kind of adapter; a kind of one's own has none in the table. */
function rateOf(
  { training }: TrainOptions,
  adapter: AdapterSettings,
  { opened }: LoadedModel,
  steps: number,
): ReturnType<typeof recipeTraining> | undefined {
  if (isOwnKind(adapter) || training?.learningRate !== undefined || training?.optimizer === "sgd") return undefined;
  const recipe = recipeTraining(adapter, { layers: opened.model.shape.layers, steps });
  return training?.schedule === undefined ? recipe : { ...recipe, schedule: training.schedule };
}
