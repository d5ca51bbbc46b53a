/**
 * The form in which a peer keeps the frozen base: f32 as ever, or narrow (`narrow-file.ts`), which takes a half, a third or
 * a sixth of the room. What the graphs compute is in f32 all the same, with the matrices that the narrow form stands for
 * (Dettmers et al. 2023, arXiv:2305.14314, with blocks of integers in place of NF4).
 */
import type { BaseForm, NarrowForm } from "../../../protocol/settings/base-forms.ts";
import { NodeError } from "../../errors.ts";
import type { Runtime } from "../../interface/runtime.ts";
import type { BaseModel } from "../base-model.ts";
import type { ModelFiles } from "../huggingface.ts";
import { storedCopy } from "../weight-copy.ts";
import { narrowCopy, narrowWeights } from "./narrow-file.ts";
import { readByPass } from "./read-by-pass.ts";
import { widenedWhereUsed } from "./widened-where-used.ts";

/**
 * The model with its base in a form. The narrow file is made when a graph is first finished, and found again later.
 * Asking for it throws: DISK_FULL, DATA_DIRECTORY.
 */
export function inBaseForm(model: BaseModel, files: ModelFiles, form: BaseForm = "f32"): BaseModel {
  return form === "f32" ? model : inNarrowForm(model, files, form);
}

/** Narrow forms are computed with on the processor: nobody has tried them elsewhere.  Throws: CONFIG_INVALID. */
export async function assertComputed(runtime: Pick<Runtime, "provider">, { narrow }: BaseModel): Promise<void> {
  if (!narrow) return;
  const device = await runtime.provider();
  if (device === "cpu") return;
  const text = `a base in a narrow form is computed with on the cpu, not on ${device}`;
  throw new NodeError("CONFIG_INVALID", text, { device, problem: "base-elsewhere" });
}

function inNarrowForm(model: BaseModel, files: ModelFiles, form: NarrowForm): BaseModel {
  return readByPass(model, "narrow", () => {
    const tensors = storedCopy(narrowCopy(model, files, form), files.cache);
    const weights = new Map(narrowWeights(model, form).map((weight) => [weight.name, weight]));
    const externalData = [...new Set([...tensors.values()].map(({ file }) => file))];
    return { pass: widenedWhereUsed({ weights, tensors }), externalData };
  });
}
