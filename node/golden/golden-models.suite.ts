/**
 * The golden directories: small models with random weights, and what PyTorch, transformers and peft compute with them
 * (make_golden.py beside this file says what they hold). Every folder here with a golden.json is one, and so is every
 * such folder in the folder that the environment variable WEFT_GOLDENS names.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { LoraSettings, LoreftSettings } from "../../protocol/adapter-spec.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { readSafetensors, toFloat32 } from "../model/safetensors.ts";
import { readModelFiles } from "../system/files/model-files.ts";

/** golden.json */
export interface GoldenDescription {
  readonly family: string;
  readonly base_loss: number;
  readonly lora_loss: number;
  readonly loreft_loss: number;
  /** The likeliest tokens behind a prompt, of some models. */
  readonly generated?: { readonly prompt: readonly number[]; readonly ids: readonly number[] };
  /** Whether only WEFT_ALL_GOLDENS=1 compares it. */
  readonly further?: true;
  readonly lora: {
    readonly r: number;
    readonly alpha: number;
    readonly targets: readonly string[];
    /** All of the model's when absent. */
    readonly layers?: readonly number[];
  };
  readonly loreft: {
    readonly r: number;
    readonly first: number;
    readonly last: number;
    /** null where the whole text is the prompt, as it is for classifiers. */
    readonly prompt_tokens: number | null;
    readonly layers: readonly number[];
  };
}

/** A label that counts: the row of all B*T tokens that predicts it, and its id. */
export interface GoldenLabel {
  readonly row: number;
  readonly id: number;
}

/** Where the model of a golden directory is: a GGUF file where there is one. */
export function goldenModel(directory: string): string {
  const file = join(directory, "model.gguf");
  return existsSync(file) ? file : directory;
}

/** One golden directory, read. */
export class Golden {
  readonly directory: string;
  readonly meta: GoldenDescription;
  readonly model: BaseModel;
  /** Names of all golden tensors. */
  readonly names: readonly string[];
  readonly #tensors;

  constructor(directory: string) {
    this.directory = directory;
    this.meta = JSON.parse(readFileSync(join(directory, "golden.json"), "utf8"));
    this.model = loadBaseModel(readModelFiles(goldenModel(directory)));
    const path = join(directory, "golden.safetensors");
    this.#tensors = readSafetensors(readFileSync(path), { name: path }).tensors;
    this.names = [...this.#tensors.keys()];
  }

  floats(name: string): Float32Array {
    return toFloat32(this.#entry(name));
  }

  integers(name: string): readonly number[] {
    return Array.from(new BigInt64Array(this.#entry(name).bytes.slice().buffer), Number);
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape;
  }

  /** B and T of the golden texts. */
  get size(): { readonly examples: number; readonly tokens: number } {
    const [examples, tokens] = this.shape("input_ids") as [number, number];
    return { examples, tokens };
  }

  /** Tokens of each text without its padding. */
  get lengths(): readonly number[] {
    const { examples, tokens } = this.size;
    const mask = this.integers("attention_mask");
    return Array.from({ length: examples }, (_, b) =>
      mask.slice(b * tokens, (b + 1) * tokens).reduce((total, one) => total + one, 0),
    );
  }

  /** Tokens of each text's prompt. */
  get promptLengths(): readonly number[] {
    return this.lengths.map((length) => this.meta.loreft.prompt_tokens ?? length);
  }

  /**
   * Of a language model the token at t predicts the label at t + 1, of a classifier the first token the text's class, or
   * each token its own.
   */
  get labels(): readonly GoldenLabel[] {
    const { examples, tokens } = this.size;
    const labels = this.integers("labels");
    if (this.model.classifier?.reads === "each token") {
      return labels.map((id, row) => ({ row, id })).filter(({ id }) => id !== -100);
    }
    if (this.model.classifier) return labels.map((id, b) => ({ row: b * tokens, id }));
    return Array.from({ length: examples * tokens }, (_, row) => ({ row, id: labels[row + 1] ?? -100 })).filter(
      ({ row, id }) => row % tokens < tokens - 1 && id !== -100,
    );
  }

  /** The adapter of the `lora.*` tensors. */
  get lora(): LoraSettings {
    const { r: rank, alpha, targets, layers = "all" } = this.meta.lora;
    return { kind: "lora", rank, alpha, targets, layers };
  }

  /** The adapter of the `loreft.*` tensors. */
  get loreft(): LoreftSettings {
    const { r: rank, first, last, layers } = this.meta.loreft;
    return { kind: "loreft", rank, layers, positions: { first, last, tied: true } };
  }

  #entry(name: string) {
    const entry = this.#tensors.get(name);
    if (!entry) throw new Error(`${this.directory} has no golden tensor ${name}`);
    return entry;
  }
}

/** A model directory with golden values; the folder of chat templates is none. */
const isGolden = (directory: string): boolean =>
  ["golden.json", "config.json"].every((file) => existsSync(join(directory, file)));

function goldensIn(folder: string): readonly string[] {
  if (isGolden(folder)) return [folder];
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => join(folder, name)).filter(isGolden);
}

/**
 * Every golden directory, by a short name for the title of a test: those beside this file, and those of WEFT_GOLDENS.
 * Throws: when WEFT_GOLDENS names a folder without golden directories, because its tests would not be missed.
 */
export function goldenDirectories(): ReadonlyMap<string, string> {
  const own = goldensIn(import.meta.dirname).map((directory) => [basename(directory), directory] as const);
  const given = process.env.WEFT_GOLDENS;
  if (!given) return new Map(own.toSorted());
  const others = goldensIn(resolve(given)).map(
    (directory) => [`WEFT_GOLDENS/${basename(directory)}`, directory] as const,
  );
  if (others.length === 0) throw new Error(`WEFT_GOLDENS: no folder in ${resolve(given)} has a golden.json`);
  return new Map([...own.toSorted(), ...others.toSorted()]);
}

/** Names of the golden directories to compare, for `it.each`: further shapes of a family with WEFT_ALL_GOLDENS=1 only. */
export function goldenNames(): readonly string[] {
  const all = [...goldenDirectories()];
  if (process.env.WEFT_ALL_GOLDENS) return all.map(([name]) => name);
  const isFurther = (directory: string): boolean =>
    JSON.parse(readFileSync(join(directory, "golden.json"), "utf8")).further === true;
  return all.filter(([, directory]) => !isFurther(directory)).map(([name]) => name);
}

/** Where one of `goldenNames` lies. */
export function goldenDirectory(name: string): string {
  const directory = goldenDirectories().get(name);
  if (directory === undefined) throw new Error(`there is no golden directory ${name}`);
  return directory;
}

/** Read one of `goldenNames`. */
export const openGolden = (name: string): Golden => new Golden(goldenDirectory(name));
