/**
 * Names in a model's folder that lead out of it. What they lead to is its owner's: whoever made the model might have it published
 * with an adapter or a merged model, both of which take files of a model over as they are.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { NodeError } from "../../errors.ts";

/** Throws: MODEL_CONFIG where a name of this folder leads out of it, or to no file. */
export function refuseForeignLink(folder: string, name: string): void {
  const place = placeOf(join(folder, name));
  if (place !== undefined && isOfModel(place, realpathSync(folder)) && statSync(place).isFile()) return;
  const text = `${join(folder, name)} is no file of this model: it leads to ${place ?? "nothing"}`;
  throw new NodeError("MODEL_CONFIG", `${text}; put the file itself there, or remove the name`, { name });
}

/** undefined: there is nothing. */
function placeOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Whatever the reason, there is no file to take.
    return undefined;
  }
}

/** In the model's folder; or, as Hugging Face's cache has it, among the blobs beside the folder of all snapshots. */
function isOfModel(place: string, folder: string): boolean {
  // Of a folder in a snapshot, such as that of further templates, too.
  const above = [folder, dirname(folder)].find((one) => basename(dirname(one)) === "snapshots");
  const roots = [folder, ...(above === undefined ? [] : [join(dirname(dirname(above)), "blobs")])];
  return roots.some((root) => place.startsWith(root + sep));
}
