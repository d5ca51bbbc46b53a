/** A trained model's logits and greedy decoding against a float64 forward pass that somebody else wrote. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { float32, int64 } from "../tensor.ts";
import { logitsGraph } from "./training-step.ts";

const runtime = createOnnxRuntime();
const stories = sharedAsset("models/tinystories-656k", "tinystories-656k, a trained model by others");
it.skipIf(stories.missing)(
  "tinystories-656k has the next-token logits and greedy ids of a float64 forward",
  async () => {
    const golden = JSON.parse(readFileSync(join(stories.path, "golden_greedy_numpy.json"), "utf8")) as {
      prompt_ids: number[];
      greedy_ids: number[];
      top10_next_logits: [number, number][];
    };
    const model = loadBaseModel(readModelFiles(stories.path));
    const settings: AdapterSettings = {
      kind: "loreft",
      rank: 1,
      layers: [0],
      positions: { first: 1, last: 1, tied: true },
    };
    const slots = adapterSlots(adapterMethod(settings).tensors(settings, model.shape));
    const tokens = golden.greedy_ids.length;
    const adapter = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
    const graph = logitsGraph({ model, adapter: settings, slots }, { examples: 1, tokens });
    const session = await runtime.load(encodeModel(graph), { threads: 1, externalData: model.externalData });
    const ids = [...golden.prompt_ids];
    while (ids.length < tokens) {
      const padded = [...ids, ...new Array<number>(tokens - ids.length).fill(0)];
      const { logits } = await session.run({
        input_ids: int64([1, tokens], padded),
        adapter: float32([adapter.length], adapter),
        ...interventionFeeds(adapterMethod(settings).positions(settings), [0], tokens),
      });
      const size = model.shape.vocabulary;
      const next = (logits!.data as Float32Array).subarray((ids.length - 1) * size, ids.length * size);
      if (ids.length === golden.prompt_ids.length) {
        for (const [id, logit] of golden.top10_next_logits)
          expect(Math.abs(next[id]! - logit)).toBeLessThan(1e-4 * Math.abs(logit));
      }
      ids.push(next.indexOf(Math.max(...next)));
    }
    await session.close();
    expect(ids).toEqual(golden.greedy_ids);
  },
);
