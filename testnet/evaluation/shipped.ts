/** The row of what a new network has where nobody chooses anything. */
import { recipeAdapter, recipeFacts, recipeTraining } from "../../node/manifest/recipe.ts";
import type { BaseModel } from "../../node/model/base-model.ts";
import { type AggregationSettings, MANIFEST_DEFAULTS } from "../../protocol/network-manifest.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

/** What each sort of data is to the recipe. */
const FORMS: Readonly<Record<Suite["data"], "answers" | "text">> = {
  tasks: "answers",
  speakers: "text",
  intents: "answers",
  commonsense: "answers",
  gsm8k: "answers",
};

/**
 * A shipped method with the adapter, the rate, the schedule, the aggregation and the reference model that a new network
 * gives a base model without a chat template and such data, but for what the method says of the adapter, the aggregation and
 * the reference model; the rate is the recipe's for that adapter, unless the method has rates to search among. Any other method as it is. A changed default changes the
 * cell's digest, so that the row is computed again.
 */
export function withShipped(
  method: DeclaredMethod,
  { data, rounds, localSteps }: Suite,
  model: BaseModel,
): DeclaredMethod {
  if (!method.shipped) return method;
  const facts = recipeFacts(model, { chat: false, form: FORMS[data] });
  const adapter = method.adapter ?? recipeAdapter(facts).adapter;
  const { learningRate, ...training } = recipeTraining(adapter, { layers: facts.layers, steps: rounds * localSteps });
  const { aggregation } = MANIFEST_DEFAULTS;
  const reference = method.reference ?? MANIFEST_DEFAULTS.reference;
  const changed = { ...aggregation, ...method.aggregation } as AggregationSettings;
  return {
    ...method,
    adapter,
    aggregation: changed,
    reference,
    training,
    learningRates: method.learningRates ?? [learningRate],
  };
}
