/** Adapters with random values, for tests. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import type { UsedAdapter } from "./inference-graph.ts";

/** Frozen tensors as the seed has them, trained ones random and large enough to change what a model says. */
export function randomAdapter(settings: AdapterSettings, { shape }: BaseModel, seed = 7): UsedAdapter {
  const method = adapterMethod(settings);
  const prng = createPrng(seed);
  const tensors = new Map<string, Tensor>(method.frozen(settings, shape, seed));
  for (const { name, shape: size } of method.tensors(settings, shape)) {
    const stream = prng.fork(name);
    tensors.set(
      name,
      float32(
        size,
        Float32Array.from({ length: sizeOf(size) }, () => 0.2 * stream.normal()),
      ),
    );
  }
  return { settings, tensors };
}
