/**
 * The precision of training and of its evaluations: in which arithmetic products with frozen matrices are computed. `fp32`
 * changes nothing. `fp16` (halves.ts) and `int8` (integers.ts) replace those products and read the weights from a copied file
 * (copied-weights.ts), so that no f32 matrix is held beside it.
 */
import type { BaseForm } from "../../../protocol/settings/base-forms.ts";
import { NodeError } from "../../errors.ts";
import type { EngineOptions, Precision } from "../../interface/engine-options.ts";
import type { Runtime } from "../../interface/runtime.ts";
import { readByPass } from "../../model/base/read-by-pass.ts";
import type { BaseModel } from "../../model/base-model.ts";
import type { ModelFiles } from "../../model/huggingface.ts";
import { halfWeights, inHalves } from "./halves.ts";
import { inIntegers, integerWeights, vocabularyRows } from "./integers.ts";

/**
 * The model whose products with frozen matrices are in an arithmetic; the file of weights for it is made when a graph is first
 * finished, and found again later.
 * Asking for it throws: DISK_FULL, DATA_DIRECTORY.
 */
export function inPrecision(model: BaseModel, files: ModelFiles, precision: Precision = "fp32"): BaseModel {
  switch (precision) {
    case "fp32":
      return model;
    case "int8": {
      const integers = readByPass(model, "products", () => {
        const weights = integerWeights(model, files);
        return { pass: inIntegers(weights), externalData: weights.externalData };
      });
      const own = { vocabularyRows: vocabularyRows(model), isFused: true };
      return Object.defineProperties(integers, Object.getOwnPropertyDescriptors(own));
    }
    case "fp16":
      return readByPass(model, "products", () => {
        const weights = halfWeights(model, files);
        return { pass: inHalves(weights), externalData: weights.externalData };
      });
  }
}

/** Throws: CONFIG_INVALID where the device has no such products, or the base is kept in a form that they do not read. */
export async function assertPrecision(
  runtime: Runtime,
  { precision = "fp32", device, base = "f32" }: EngineOptions,
): Promise<void> {
  assertWideBase(base, precision);
  if (precision === "int8") await assertIntegers(runtime, device);
  if (precision === "fp16") await assertHalves(runtime, device);
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
