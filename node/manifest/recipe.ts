/** The adapter, the rate and the schedule of a new network, or of a training on one machine, where nobody says otherwise. */
import type { AdapterSettings, LowRankSettings } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import {
  type DataForm,
  DEEP_LAYERS_MIN,
  KIND_RATES,
  RECIPE_ROWS,
  type RecipeRow,
  TRI_SMALL_RANK_MAX,
  WARMUP_STEPS_MAX,
} from "./recipe-table.ts";

/** What the choice depends on. */
export interface RecipeFacts {
  readonly layers: number;
  /** The last part of the path of each linear layer, each name once. */
  readonly targets: readonly string[];
  /** Whether the model has a chat template, as models that follow instructions have. */
  readonly chat: boolean;
  /** "answers" where the data are not known. */
  readonly form: DataForm;
}

/** What a model says of itself for the choice. */
export interface RecipeModel {
  readonly shape: { readonly layers: number; readonly linears: readonly { readonly path: string }[] };
  readonly classifier?: unknown;
}

/** The facts of a model and its data; a classifier's examples are texts with classes whatever the file looks like. */
export function recipeFacts(
  { shape, classifier }: RecipeModel,
  { chat, form }: { readonly chat: boolean; readonly form: DataForm },
): RecipeFacts {
  const names = shape.linears.map(({ path }) => path.slice(path.lastIndexOf(".") + 1));
  return { layers: shape.layers, targets: [...new Set(names)], chat, form: classifier ? "classes" : form };
}

/** The adapter for a model and its data, and why. */
export function recipeAdapter(facts: RecipeFacts): { readonly adapter: AdapterSettings; readonly because: string } {
  const { adapter, because } = RECIPE_ROWS.find((row) => fits(row, facts))!;
  return { adapter: withTargets(adapter, facts.targets), because };
}

function fits({ where }: RecipeRow, { layers, chat, form }: RecipeFacts): boolean {
  if (where.deep !== undefined && where.deep !== isDeep(layers)) return false;
  if (where.chat !== undefined && where.chat !== chat) return false;
  return where.form === undefined || where.form.includes(form);
}

/** A row that says no targets means all linear layers. */
function withTargets(adapter: AdapterSettings, targets: readonly string[]): AdapterSettings {
  if (adapter.kind === "combination") return { ...adapter, lora: named(adapter.lora, targets) };
  return "targets" in adapter ? named(adapter, targets) : adapter;
}

const named = (adapter: LowRankSettings, targets: readonly string[]): LowRankSettings =>
  adapter.targets.length === 0 ? { ...adapter, targets } : adapter;

/** Whether a model of so many layers is a deep one. */
export const isDeep = (layers: number): boolean => layers >= DEEP_LAYERS_MIN;

/** AdamW's learning rate for an adapter; of a combination the lower of its two. */
export function recipeRate(adapter: AdapterSettings, { layers }: { readonly layers: number }): number {
  if (adapter.kind === "combination") {
    return Math.min(recipeRate(adapter.lora, { layers }), recipeRate(adapter.reft, { layers }));
  }
  const isSmall = adapter.kind === "tri-lora" && adapter.rank <= TRI_SMALL_RANK_MAX;
  const { shallow, deep } = KIND_RATES[isSmall ? "tri-lora of a small rank" : adapter.kind];
  return isDeep(layers) ? deep : shallow;
}

/** Rate and schedule: down to 0 in a straight line over all steps, after a short warm-up. */
export function recipeTraining(
  adapter: AdapterSettings,
  { layers, steps }: { readonly layers: number; readonly steps: number },
): Pick<TrainingSpec, "learningRate" | "schedule"> {
  const warmupSteps = Math.min(WARMUP_STEPS_MAX, Math.floor(steps / 10));
  return { learningRate: recipeRate(adapter, { layers }), schedule: { kind: "linear", warmupSteps } };
}
