/** What weft needs of an inference runtime: load an ONNX model, run it. Implemented by `node/system/compute/onnxruntime`. */
import type { Tensor } from "../tensor.ts";
import type { WorkTeller } from "./work.ts";

/** What computes; the runtime calls them execution providers. */
export const PROVIDERS = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
/** One of these providers. */
export type Provider = (typeof PROVIDERS)[number];

/** What may be asked for; `auto` is the fastest that is safe to take unasked. */
export const DEVICES = ["auto", ...PROVIDERS] as const;
/** A provider, or `auto`. */
export type Device = (typeof DEVICES)[number];

/** A file of weights that an ONNX model refers to as external data. */
export interface ExternalData {
  /** The location string that the model uses. */
  readonly path: string;
  /** The whole content; read when it is asked for, where the file is on disk. */
  readonly data: Uint8Array;
  /** Folder on disk in which `path` lies: what runs the model maps the file there instead of holding a copy. */
  readonly folder?: string;
}

/** How one model is loaded. */
export interface SessionOptions {
  readonly externalData?: readonly ExternalData[];
  /** Threads that one operator may use; the runtime's own choice when absent. */
  readonly threads?: number;
  /**
   * Leave nodes as the graph has them: neither compute what follows from weights alone while the model is loaded, nor merge
   * nodes that are alike. So weights that the graph widens where it uses them stay as narrow as they are stored.
   */
  readonly weightsAsStored?: boolean;
  /** Do not look for nodes that could be one: a large graph is loaded sooner, and computes as fast where it has none. */
  readonly isFused?: boolean;
}

/** Loads models and says what its device can do. */
export interface Runtime {
  /**
   * Load a serialised ONNX model.
   * Throws: NodeError RUNTIME_MODEL when the runtime refuses it, DEVICE_UNAVAILABLE when its device cannot be used.
   */
  load(model: Uint8Array, options: SessionOptions): Promise<Session>;
  /** What computes: what `auto` is here.  Throws: DEVICE_UNAVAILABLE when what was asked for cannot be used. */
  provider(): Promise<Provider>;
  /** Why products of 16-bit numbers are impossible or no faster on the device, in words; undefined where they are fit. */
  whyNoFloat16(): Promise<string | undefined>;
  /** Where work that runs many sessions tells how far it is; absent where nobody listens. */
  readonly tell?: WorkTeller;
}

/** A loaded model. */
export interface Session {
  /**
   * Run once; every declared input is fed, every declared output comes back, those of `outputs` in the given arrays.
   * Blocks its thread while it computes.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs?: Readonly<Record<string, Tensor>>,
  ): Promise<Readonly<Record<string, Tensor>>>;
  /** Free the session's memory; idempotent. */
  close(): Promise<void>;
}
