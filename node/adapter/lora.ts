/**
 * LoRA: y = x W0^T + (alpha / r) B A x, A [r, in], B [out, r], on chosen linear layers.
 * Source: Hu et al. 2021, arXiv:2106.09685.
 */
import type { LoraSettings } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";
import type { LinearSite, ModelShape } from "../model/base-model.ts";
import { gemm } from "../onnx/operators.ts";
import { chosenLayers } from "./layers.ts";
import type { AdapterMethod } from "./method.ts";

/** The linear layers whose path ends with one of the targets. */
function sites(settings: LoraSettings, model: ModelShape): readonly LinearSite[] {
  const layers = new Set(chosenLayers(settings.layers, model.layers));
  const matches = (site: LinearSite, target: string) => site.path === target || site.path.endsWith(`.${target}`);
  for (const target of settings.targets) {
    if (model.linears.some((site) => matches(site, target))) continue;
    const known = [...new Set(model.linears.map((site) => site.path.split(".").at(-1)))];
    throw new NodeError(
      "ADAPTER_SETTINGS",
      `lora target ${target} is no linear layer of this model; it has ${known.join(", ")}`,
    );
  }
  return model.linears.filter(
    (site) => layers.has(site.layer) && settings.targets.some((target) => matches(site, target)),
  );
}

export const LORA: AdapterMethod<LoraSettings> = {
  tensors: (settings, model) =>
    sites(settings, model).flatMap(({ path, inputs, outputs }) => [
      { name: `${path}.A`, shape: [settings.rank, inputs] },
      { name: `${path}.B`, shape: [outputs, settings.rank] },
    ]),

  /** A uniform in +-1/sqrt(in) (Kaiming), B = 0, which edits nothing. */
  start: (_, slots, prng) => {
    const theta = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
    for (const { name, shape, offset, length } of slots) {
      if (name.endsWith(".B")) continue;
      const bound = 1 / Math.sqrt(shape[1]!);
      const stream = prng.fork(name);
      for (let i = 0; i < length; i++) theta[offset + i] = (2 * stream.uniform() - 1) * bound;
    }
    return theta;
  },

  hooks: (settings, model, { tensor }) => {
    const adapted = new Set(sites(settings, model).map((site) => site.path));
    return {
      linear: ({ path }, x, y) => {
        if (!adapted.has(path)) return y;
        const inner = gemm(x, tensor(`${path}.A`), { transB: true });
        return gemm(inner, tensor(`${path}.B`), { transB: true, alpha: settings.alpha / settings.rank, c: y });
      },
    };
  },

  retract: () => {},
};
