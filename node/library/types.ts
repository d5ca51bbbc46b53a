/** What programs see of models, adapters and trainings. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import type { OwnKindSource } from "../adapter/own-kind.ts";
import type { TrainedData } from "../data/trained-data.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Evaluation } from "../interface/trainer.ts";
import type { CreateNetworkOptions as NetworkSettings } from "../manifest/create-network.ts";

/** A path of data, and how it is read. Which forms there are, docs/DATA.md says. */
export interface DataSource {
  /** A file of rows or text, or a folder of such files. The small tasks that come with weft where none is named. */
  readonly file?: string;
  /** Names of the file's columns, as in `prompt=frage,response=antwort`. */
  readonly columns?: string;
  /** Of text files; utf-8 where none is named. */
  readonly charset?: string;
  /** How conversations are written: a chat template of the model by name, a file of one, or `none`. */
  readonly chatTemplate?: string;
  /** How a file is divided where several peers share it: `iid`, `speaker`, `field:NAME` or `dirichlet:ALPHA[:FIELD]`. */
  readonly split?: string;
  /** The part of the data that is taken: `index` of `count`, counted from 0. All of it when absent. */
  readonly part?: { readonly index: number; readonly count: number };
  /** Files that are held out whole, to choose by and to report on. Else the content of an example decides. */
  readonly validation?: string;
  readonly test?: string;
}

/** Data, by its path alone or with how it is read. */
export type Data = string | DataSource;

/** How the machine is used. */
export type MachineOptions = Pick<EngineOptions, "threads" | "device">;

/** How text is generated. */
export interface PromptOptions extends MachineOptions {
  /** The system's turn, where the model has a chat template. */
  readonly system?: string;
  /** Tokens to add at most; 128 when absent. */
  readonly maxTokens?: number;
  /** 0, or nothing at all, takes the likeliest token each time. */
  readonly temperature?: number;
  /** Draw only from the likeliest tokens that together have this probability. */
  readonly topP?: number;
  /** Seed of the draws. */
  readonly seed?: number;
  /** Ends early; what there is by then is returned. */
  readonly signal?: AbortSignal;
  /** Called after each token with all that was generated so far. */
  readonly onText?: (text: string) => void;
}

/** What an adapter or a model is evaluated on. */
export interface EvaluateOptions extends MachineOptions {
  /** An adapter that was just trained is evaluated on its own data where none are named. */
  readonly data?: Data;
  /** Examples that training did not see (`test`), those that choices are made by, or those that are trained on. */
  readonly set?: "test" | "validation" | "train";
}

/** The sizes of a model. */
export interface ModelSizes {
  readonly layers: number;
  /** Width of the hidden state. */
  readonly hidden: number;
  /** Number of token ids. */
  readonly vocabulary: number;
  /** Longest sequence that the model has positions for. */
  readonly contextTokens: number;
}

/** A frozen base model. */
export interface Model {
  readonly directory: string;
  /** Such as `llama`. */
  readonly family: string;
  readonly shape: ModelSizes;
  /** What of its files is not as its config says: lines for people. */
  readonly notes: readonly string[];
  /** Continue a prompt; the new text alone is returned.  Throws: NodeError MODEL_CONFIG for a model that writes no text. */
  generate(prompt: string, options?: PromptOptions): Promise<string>;
  /** Loss and accuracy on data.  Throws: NodeError DATA_FORMAT, DATA_TOO_SMALL. */
  evaluate(options?: EvaluateOptions): Promise<Evaluation>;
}

/** The form of an adapter's files: weft's own, that of Hugging Face PEFT, or that of pyreft. */
export type SavedForm = "weft" | "peft" | "pyreft";

/** How an adapter is written. */
export interface SaveOptions {
  /** Default: weft. */
  readonly format?: SavedForm;
  /** Name or path by which PEFT finds the base model; the model's directory when absent. */
  readonly baseModel?: string;
}

/** An adapter on its model. */
export interface Adapter {
  readonly model: Model;
  readonly settings: AdapterSettings;
  /** Trained values in all. */
  readonly parameters: number;
  /** The trained values by the name of their tensor, copies. */
  tensors(): ReadonlyMap<string, Float32Array>;
  /**
   * Write it into a folder, which must be new or empty.
   * Throws: NodeError ADAPTER_FILE for a folder that holds something, ADAPTER_FORMAT for what the form cannot express.
   */
  save(folder: string, options?: SaveOptions): Promise<void>;
  /** As of `Model`, with the adapter. */
  generate(prompt: string, options?: PromptOptions): Promise<string>;
  /** As of `Model`, with the adapter. */
  evaluate(options?: EvaluateOptions): Promise<Evaluation>;
}

/** One step of a training. */
export interface TrainingStep {
  /** Counted from 1. */
  readonly step: number;
  readonly steps: number;
  /** In nats per learnt token. */
  readonly loss: number;
}

/** What is trained, on what, and how. */
export interface TrainOptions {
  /** A model, or its directory; the model that comes with weft when absent. */
  readonly model?: Model | string;
  readonly data?: Data;
  /** Settings of a kind that weft knows, or where another kind is. What suits model and data when absent. */
  readonly adapter?: AdapterSettings | OwnKindSource;
  /** An adapter to go on from, with its settings; optimiser and schedule begin anew. */
  readonly from?: Adapter;
  /** Optimiser steps; where absent, `epochs` passes over the data. */
  readonly steps?: number;
  /** Default: 3. */
  readonly epochs?: number;
  /** Rate, schedule, optimiser, batch size and others; what is absent suits the adapter. */
  readonly training?: Partial<TrainingSpec>;
  /** Seed of the adapter's start, of the batch order and of dropout. Default: 0. */
  readonly seed?: number;
  readonly engine?: EngineOptions;
  /** Stops after the step at hand; the adapter as it is then is returned. */
  readonly signal?: AbortSignal;
  readonly onStep?: (step: TrainingStep) => void;
}

/** An adapter that was just trained, and what came of it. */
export interface TrainedAdapter extends Adapter {
  /** On examples that training did not see. */
  readonly before: Evaluation;
  /** Absent where the training was stopped. */
  readonly after?: Evaluation;
  /** Optimiser steps that were taken. */
  readonly steps: number;
}

/** What a new network agrees on. Rate and schedule suit the adapter where none is given. */
export interface CreateNetworkOptions
  extends Partial<Pick<NetworkSettings, "training" | "rounds" | "aggregation" | "bootstrap" | "seed">> {
  readonly name: string;
  /** The base model, or its directory; the model that comes with weft when absent. */
  readonly model?: Model | string;
  /** What suits the model when absent. */
  readonly adapter?: AdapterSettings;
}

/** What is known of an adapter beside its values. */
export interface AdapterFacts {
  readonly trained?: TrainedData | undefined;
  readonly data?: Data | undefined;
  readonly dataSeed?: number | undefined;
}
