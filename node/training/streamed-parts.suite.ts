/** What tests of streamed blocks share: the same numbers as with the whole model in one session. */
import { expect } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import type { BaseForm } from "../../protocol/settings/base-forms.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { goldenModel, openGolden } from "../golden/golden-models.suite.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { modelSession } from "../model/base-model.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { proximalFeeds } from "./proximal.ts";
import { evaluationSession, stepSession } from "./step-session.ts";
import type { TrainingStepOptions } from "./training-step.ts";

const runtime = createOnnxRuntime();

/** Where later blocks read what an earlier one made, so that its gradients are added up in another order block by block. */
const REORDERED: readonly string[] = ["gemma4"];

/** Loss, gradient and losses of evaluation of a golden directory, block by block against the whole, bit by bit where it may be. */
export async function checkStreamed(name: string, { base = "f32" as BaseForm } = {}): Promise<void> {
  const golden = openGolden(name);
  const { cache: _, ...files } = readModelFiles(goldenModel(golden.directory));
  const model = inBaseForm(golden.model, files, base);
  const settings = { kind: "combination", lora: golden.lora, reft: golden.loreft } as AdapterSettings;
  const method = adapterMethod(settings);
  const slots = adapterSlots(method.tensors(settings, model.shape));
  const adapter = Float32Array.from({ length: parameterCount(slots) }, (_, i) => 0.1 * Math.sin(7 * i + 1));
  const { examples, tokens } = golden.size;
  const { labels } = golden;
  const rows = labels.map(({ row }) => row);
  const ids = labels.map(({ id }) => id);
  const feeds: Record<string, Tensor> = {
    input_ids: int64([examples, tokens], golden.integers("input_ids")),
    ...(model.classifier && { attention_mask: int64([examples, tokens], golden.integers("attention_mask")) }),
    label_rows: int64([labels.length], rows),
    label_ids: int64([labels.length], ids),
    adapter: float32([adapter.length], adapter),
    ...interventionFeeds(method.positions(settings), golden.promptLengths, tokens),
  };
  const label_weights = float32([labels.length], new Float32Array(labels.length).fill(1 / labels.length));
  const held = { proximal: true };
  const proximal = proximalFeeds(new Float32Array(adapter.length), 0.01);
  const of = {
    adapted: { model, adapter: settings, slots },
    shape: { examples, tokens, labels: labels.length },
    sessionOptions: modelSession(model, { threads: 1 }),
  };
  const step = async (streamBlocks: boolean, how: TrainingStepOptions) => {
    const session = await stepSession(runtime, { ...of, streamBlocks }, how);
    const outputs = { loss: float32([], [0]), gradient: float32([adapter.length], new Float32Array(adapter.length)) };
    await session.run({ ...feeds, label_weights, ...(how.proximal ? proximal : {}) }, outputs);
    await session.close();
    return { loss: outputs.loss.data[0], gradient: outputs.gradient.data as Float32Array };
  };
  const losses = async (streamBlocks: boolean) => {
    const session = await evaluationSession(runtime, { ...of, streamBlocks });
    const found = await session.run(feeds);
    await session.close();
    return found;
  };
  for (const how of [{}, held]) {
    const [whole, streamed] = [await step(false, { ...how, lowMemory: true }), await step(true, how)];
    expect(whole.gradient.some((value) => value !== 0)).toBe(true);
    if (!REORDERED.includes(name)) expect(streamed).toEqual(whole);
    expect(streamed.loss).toBe(whole.loss);
    const scale = whole.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const off = whole.gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - streamed.gradient[i]!)), 0);
    expect(off / scale).toBeLessThan(2e-6);
  }
  expect(await losses(true)).toEqual(await losses(false));
}
