/**
 * The precision of training: in which arithmetic products with frozen matrices are computed. `fp32` changes nothing. `fp16`
 * (halves.ts) and `int8` (integers.ts) replace those products and read the weights from a copied file (copied-weights.ts).
 */

import type { BaseForm } from "../../../protocol/settings/base-forms.ts";
import { NodeError } from "../../errors.ts";
import type { EngineOptions, Precision } from "../../interface/engine-options.ts";
import type { ExternalData, Runtime } from "../../interface/runtime.ts";
import type { BaseModel } from "../../model/base-model.ts";
import type { ModelFiles } from "../../model/huggingface.ts";
import type { GraphPass } from "../../onnx/rewrite.ts";
import { halfWeights, inHalves } from "./halves.ts";
import { inIntegers, integerWeights } from "./integers.ts";

/** The graph pass for another arithmetic than f32, and the file of weights that its graphs read. */
export interface OtherArithmetic {
  readonly products: GraphPass;
  readonly externalData: readonly ExternalData[];
}

/**
 * What takes the place of f32 products; undefined where nothing does.
 * Throws: CONFIG_INVALID where the device has no such products, or the base is kept in a form that they do not read;
 * DISK_FULL, DATA_DIRECTORY.
 */
export async function otherArithmetic(
  { runtime, model, files }: { readonly runtime: Runtime; readonly model: BaseModel; readonly files: ModelFiles },
  { precision = "fp32", device, base = "f32" }: EngineOptions,
): Promise<OtherArithmetic | undefined> {
  assertWideBase(base, precision);
  switch (precision) {
    case "fp32":
      return undefined;
    case "int8": {
      await assertIntegers(runtime, device);
      const weights = integerWeights(model, files);
      return { products: inIntegers(weights), externalData: weights.externalData };
    }
    case "fp16": {
      await assertHalves(runtime, device);
      const weights = halfWeights(model, files);
      return { products: inHalves(weights), externalData: weights.externalData };
    }
  }
}

/** For adapters that read the weights, of which other arithmetic has no f32 beside its own.  Throws: CONFIG_INVALID. */
export function refuseOtherArithmetic({ precision = "fp32" }: EngineOptions): void {
  if (precision === "fp32") return;
  const text = `this kind of adapter is made of the lengths of the weights' rows, which ${precision} products do not have`;
  throw new NodeError("CONFIG_INVALID", text, { problem: "precision-of-kind" });
}

/** Products in another arithmetic read a copy of the f32 base.  Throws: CONFIG_INVALID. */
function assertWideBase(base: BaseForm, precision: Precision): void {
  if (base === "f32" || precision === "fp32") return;
  const text = `${precision} products have their own copy of the base, and a base in ${base} has f32 products; leave one of them out`;
  throw new NodeError("CONFIG_INVALID", text, { precision, base });
}

/** onnxruntime has products in integers on the processor only.  Throws: CONFIG_INVALID. */
async function assertIntegers(runtime: Runtime, device: EngineOptions["device"]): Promise<void> {
  const provider = await runtime.provider();
  if (provider === "cpu") return;
  const given = device === "auto" ? `${provider}, which auto stands for here` : provider;
  const text = `int8 products are computed on the cpu, not on ${given}`;
  throw new NodeError("CONFIG_INVALID", text, { device: provider, problem: "int8-elsewhere" });
}

/** Throws: CONFIG_INVALID where the device has no products of 16-bit numbers. */
async function assertHalves(runtime: Runtime, device: EngineOptions["device"] = "cpu"): Promise<void> {
  const reason = await runtime.whyNoFloat16();
  if (reason === undefined) return;
  const text = `fp16 products cannot be computed on ${device}: ${reason}`;
  throw new NodeError("CONFIG_INVALID", text, { device, reason, problem: "precision-missing" });
}
