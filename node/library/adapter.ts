/** An adapter as a program has it at hand: written, read, used. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { isOwnKind, type OwnKindSource, ownSettings } from "../adapter/own-kind.ts";
import { NodeError } from "../errors.ts";
import { writeAdapterDirectory } from "../interchange/adapter-directory.ts";
import { toPeft } from "../interchange/peft-export.ts";
import { toPyreft } from "../interchange/pyreft-export.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { Evaluation } from "../interface/trainer.ts";
import { type StoppedTraining, stoppedTrainingFiles } from "../local/stopped-training.ts";
import { loadAdapter } from "../local/stored-adapter.ts";
import { keptTrainedData, withTrainedData } from "../local/trained-data.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { type FolderFiles, prepareOutputFolder, writeFolder } from "../system/files/adapter-files.ts";
import { evaluateOn, generateText, type LoadedModel, modelOf, tensorsByName } from "./model.ts";
import type { Adapter, AdapterFacts, EvaluateOptions, Model, PromptOptions, SaveOptions } from "./types.ts";

/** An adapter and its model, behind what programs see of them. */
export class UsableAdapter implements Adapter {
  readonly model: LoadedModel;
  readonly saved: SavedAdapter;
  readonly #facts: AdapterFacts & { readonly stopped?: StoppedTraining };

  constructor(
    model: LoadedModel,
    saved: SavedAdapter,
    facts: AdapterFacts & { readonly stopped?: StoppedTraining } = {},
  ) {
    this.model = model;
    this.saved = saved;
    this.#facts = facts;
  }

  get settings(): AdapterSettings {
    return this.saved.settings;
  }

  get parameters(): number {
    return this.saved.values.length;
  }

  tensors(): ReadonlyMap<string, Float32Array> {
    return tensorsByName(this.saved);
  }

  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    const path = absolutePath(folder);
    const files = withTrainedData(this.#filesOf(options), this.#facts.trained);
    await prepareOutputFolder(path);
    await writeFolder(path, files);
  }

  generate(prompt: string, options: PromptOptions = {}): Promise<string> {
    return generateText(this.model, { ...this.#facts, adapter: this.saved }, prompt, options);
  }

  evaluate(options: EvaluateOptions = {}): Promise<Evaluation> {
    return evaluateOn(this.model, { ...this.#facts, adapter: this.saved }, options);
  }

  #filesOf({ format = "weft", baseModel = this.model.directory }: SaveOptions): FolderFiles {
    const { model } = this.model.opened;
    if (format !== "weft" && isOwnKind(this.settings)) {
      const text = `an adapter of the kind "${ownSettings(this.settings)?.name}" is no part of ${format}; write it as weft`;
      throw new NodeError("ADAPTER_FORMAT", text, { format });
    }
    switch (format) {
      case "weft": {
        const { stopped } = this.#facts;
        const files = writeAdapterDirectory({ ...this.saved, settings: withoutModule(this.settings) });
        return stopped === undefined ? files : new Map([...stoppedTrainingFiles(stopped, this.saved), ...files]);
      }
      case "peft":
        return toPeft(this.saved, model, { baseModel });
      case "pyreft":
        return toPyreft(this.saved, model);
    }
    throw new NodeError("CONFIG_INVALID", `format "${format}": write weft, peft or pyreft`);
  }
}

/** Where a module lies differs from one machine to the next. */
function withoutModule(settings: AdapterSettings): AdapterSettings {
  const { module: _, ...rest } = settings as AdapterSettings & { readonly module?: string };
  return rest;
}

/**
 * The adapter in a folder of weft, PEFT or pyreft.  kind: the module of a kind that is no part of weft.
 * Throws: NodeError ADAPTER_FILE, ADAPTER_FORMAT, ADAPTER_SHAPE, MODEL_MISMATCH.
 */
export async function readAdapter(
  folder: string,
  { model, kind }: { readonly model?: Model | string | undefined; readonly kind?: OwnKindSource["module"] | undefined },
): Promise<UsableAdapter> {
  const loaded = modelOf(model);
  const path = absolutePath(folder);
  const { adapter } = await loadAdapter(path, loaded.opened, { kind });
  return new UsableAdapter(loaded, adapter, { trained: await keptTrainedData(path) });
}
