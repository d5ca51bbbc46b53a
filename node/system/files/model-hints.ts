/** What a folder is that is no model as weft reads them, in one line that says what to do. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WRITE_TOKENIZER } from "../../model/vocabulary/made-tokenizer.ts";

/** Of a folder without config.json.  names: of what is in it. */
export function noConfigText(directory: string, names: readonly string[]): string {
  if (names.some((name) => name === "adapter_config.json" || name === "adapter.json")) {
    return `${directory} holds an adapter and no model; give the model that it was trained on, and this folder as the adapter`;
  }
  const revision = names.includes("snapshots") ? cachedSnapshot(directory) : undefined;
  if (revision !== undefined) {
    return `${directory} is a folder of Hugging Face's cache; give the model in it, ${revision}`;
  }
  const gguf = names.find((name) => name.toLowerCase().endsWith(".gguf"));
  if (gguf !== undefined)
    return `${directory} has no config.json, but ${gguf}; give that file, ${join(directory, gguf)}`;
  const inner = names.filter((name) => existsSync(join(directory, name, "config.json")));
  if (inner.length === 1) return `${directory} has no config.json; give the model in it, ${join(directory, inner[0]!)}`;
  if (inner.length > 1) {
    const some = inner.slice(0, 4).join(", ");
    const more = inner.length > 4 ? " and others" : "";
    return `${directory} has no config.json; give one of the models in it: ${some}${more}`;
  }
  return `${directory} has no config.json; a model directory holds config.json, model*.safetensors and tokenizer.json`;
}

/** The snapshot that `main` names, or the only one. */
function cachedSnapshot(directory: string): string | undefined {
  const main = join(directory, "refs", "main");
  const all = readdirSync(join(directory, "snapshots"));
  const name = existsSync(main)
    ? readFileSync(main, "utf8").trim().slice(0, 64)
    : all.length === 1
      ? all[0]
      : undefined;
  const path = name === undefined ? undefined : join(directory, "snapshots", name);
  return path !== undefined && existsSync(join(path, "config.json")) ? path : undefined;
}

/** Weights by how their files end, and what becomes safetensors of them. */
const OTHER_WEIGHTS: readonly (readonly [ending: RegExp, what: string])[] = [
  [/\.(?:bin|pt|pth|ckpt)$/iu, "pickles of PyTorch; load the model by transformers and save it by save_pretrained"],
  [/\.onnx$|^onnx$/iu, "an ONNX file; give that file itself, or take the model in safetensors"],
  [/\.h5$/iu, "a file of TensorFlow; load the model by transformers (from_tf=True) and save it by save_pretrained"],
  [/\.msgpack$/iu, "a file of Flax; load the model by transformers (from_flax=True) and save it by save_pretrained"],
  [/\.gguf$/iu, "a GGUF file; give that file itself"],
  [/\.safetensors$/iu, "safetensors of another name; take the files that transformers loads, model*.safetensors"],
];

/** Of a folder with a config.json and no weights that are read. */
export function noWeightsText(directory: string, names: readonly string[]): string {
  const known = OTHER_WEIGHTS.flatMap(([ending, what]) => {
    const name = names.find(
      (one) => ending.test(one) && !/^(?:training_args|optimizer|scheduler|rng_state)/u.test(one),
    );
    return name === undefined ? [] : [`; ${name} is ${what}`];
  });
  return `${directory} has no model*.safetensors file with weights${known[0] ?? ""}`;
}

/** Of a model without tokenizer.json and without files that weft makes one of: how what it has becomes one. */
export function tokenizerHint(names: readonly string[]): string | undefined {
  const found = names.find((name) => name === "tekken.json" || /\.(?:tiktoken|model)$/u.test(name));
  return found && `${found} is not read; ${WRITE_TOKENIZER}`;
}
