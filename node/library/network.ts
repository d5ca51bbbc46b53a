/** The manifest of a network, by what a program says of it. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { factsOfModel } from "../local/recipe-source.ts";
import { createNetwork } from "../manifest/create-network.ts";
import { recipeAdapter } from "../manifest/recipe.ts";
import { modelOf } from "./model.ts";
import type { CreateNetworkOptions } from "./types.ts";

/** As `createNetwork` of the library. */
export function networkOf({ model, adapter, seed = 0, ...settings }: CreateNetworkOptions): NetworkManifest {
  const { opened, directory } = modelOf(model);
  const chosen = adapter ?? recipeAdapter(factsOfModel(opened, "answers")).adapter;
  return createNetwork({ ...settings, modelDirectory: directory, adapter: chosen, seed });
}
