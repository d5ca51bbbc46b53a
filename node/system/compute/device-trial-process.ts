/** The process of `tryDevice`: arguments are the device and a model directory. */
import { NodeError } from "../../errors.ts";
import type { Provider, Runtime, Session } from "../../interface/runtime.ts";
import { loadBaseModel, type ModelFiles } from "../../model/huggingface.ts";
import { encodeModel } from "../../onnx/codec.ts";
import { inputValue } from "../../onnx/graph.ts";
import { neg } from "../../onnx/operators.ts";
import { inPrecision } from "../../training/precision/precision.ts";
import { trialStep } from "../../training/trial-step.ts";
import { readModelFiles } from "../files/model-files.ts";
import type { Float16Trial, TrialMessage } from "./device-trial.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

const [device, modelDirectory] = process.argv.slice(2) as [Provider, string];

async function trial(): Promise<TrialMessage> {
  try {
    const runtime = createOnnxRuntime({ device });
    const files = readModelFiles(modelDirectory);
    const model = loadBaseModel(files);
    // A device forgets its compiled kernels with its last session, and both steps share most of theirs.
    const kept = await keepOpen(runtime);
    try {
      const loreft = await trialStep(runtime, model, "loreft");
      const steps = { loreft, lora: await trialStep(runtime, model, "lora") };
      return { ok: true, steps, float16: await inHalves(runtime, files) };
    } finally {
      await kept.close();
    }
  } catch (error) {
    const code = error instanceof NodeError ? error.code : undefined;
    const reason = error instanceof NodeError ? error.facts.reason : undefined;
    const text = error instanceof Error ? error.message : String(error);
    return { ok: false, code, reason: typeof reason === "string" ? reason : text };
  }
}

/** A session of the smallest of models, which is never run. */
function keepOpen(runtime: Runtime): Promise<Session> {
  const x = inputValue("x", "float32", [2]);
  return runtime.load(encodeModel({ inputs: [x], outputs: { y: neg(x) } }), { threads: 1 });
}

/** The same steps with products in 16 bits; what fails here leaves those in f32 as they were. */
async function inHalves(runtime: Runtime, { cache: _, ...files }: ModelFiles): Promise<Float16Trial> {
  const reason = await runtime.whyNoFloat16();
  if (reason !== undefined) return { ok: false, reason };
  try {
    const model = inPrecision(loadBaseModel(files), files, "fp16");
    const loreft = await trialStep(runtime, model, "loreft");
    return { ok: true, steps: { loreft, lora: await trialStep(runtime, model, "lora") } };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

const message = await trial();
// The parent reads it before the end of the channel lets this process go.
process.send?.(message, () => process.disconnect());
