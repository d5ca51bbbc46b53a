/** How neighbours weigh against each other, in one word: `uniform`, `samples`, `metropolis`, `similarity:0.1`, `similarity:0.1+data:0.5:0.3`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { DataSimilaritySettings, NeighbourWeighting } from "../protocol/network-manifest.ts";

/** For help texts: the words that `parseWeights` reads. */
export const WEIGHTS_FORMS =
  "uniform, samples, metropolis, or for tri-lora similarity:TEMPERATURE, with data sets too +data:SHARE:TEMPERATURE";

/** "uniform" is what a manifest says by leaving the field out. */
export type WeightsWord = NeighbourWeighting | "uniform";

/** The weights that a word stands for.  Throws: NodeError CONFIG_INVALID. */
export function parseWeights(word: string): WeightsWord {
  const [model = "", data, ...more] = word.split("+");
  const [kind = "", ...parts] = model.split(":");
  if (more.length > 0 || (data !== undefined && kind !== "similarity")) {
    throw refusal(word, "+data goes with similarity, once");
  }
  if (kind === "similarity") {
    const temperature = Number(parts[0]);
    const fits = parts.length === 1 && temperature > 0 && temperature <= 1000;
    if (!fits) throw refusal(word, "similarity needs a temperature above 0 and at most 1000");
    return { kind, temperature, ...(data !== undefined && { data: parseData(word, data) }) };
  }
  if (parts.length > 0) throw refusal(word, `"${parts[0]}" is one part too many`);
  switch (kind) {
    case "uniform":
      return kind;
    case "samples":
    case "metropolis":
      return { kind };
    default: {
      const near = closestName(kind, ["uniform", "samples", "metropolis", "similarity"]);
      throw refusal(word, near === undefined ? "not a way to weigh" : `did you mean ${near}?`);
    }
  }
}

/** The word for weights; `parseWeights` of it gives them back. */
export function formatWeights(weights: NeighbourWeighting | undefined): string {
  if (weights === undefined) return "uniform";
  if (weights.kind !== "similarity") return weights.kind;
  const { kind, temperature, data } = weights;
  return `${kind}:${temperature}${data === undefined ? "" : `+data:${data.share}:${data.temperature}`}`;
}

/** To be told to whoever makes a network whose peers send sketches; nothing else is worth a word. */
export function sketchWarning(weights: NeighbourWeighting | undefined): string | undefined {
  if (weights?.kind !== "similarity" || weights.data === undefined) return undefined;
  return "every peer sends a sketch of its data set once; the sketch tells how often each class occurs, and roughly the subjects of the texts; peers can add noise with --sketch-noise";
}

/** `data:SHARE:TEMPERATURE`. */
function parseData(word: string, text: string): DataSimilaritySettings {
  const [name, first, second, ...more] = text.split(":");
  const [share, temperature] = [Number(first), Number(second)];
  const fits =
    name === "data" && more.length === 0 && share > 0 && share <= 1 && temperature > 0 && temperature <= 1000;
  if (!fits)
    throw refusal(word, "data needs a share above 0 and at most 1, and a temperature above 0 and at most 1000");
  return { share, temperature };
}

function refusal(word: string, what: string): NodeError {
  return new NodeError("CONFIG_INVALID", `weights "${word}": ${what}; write ${WEIGHTS_FORMS}`, { weights: word });
}
