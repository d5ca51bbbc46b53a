/** The process of `tryDevice`: arguments are the device and a model directory. */
import { NodeError } from "../errors.ts";
import type { Provider } from "../interface/runtime.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { trialStep } from "../training/trial-step.ts";
import type { TrialMessage } from "./device-trial.ts";
import { readModelFiles } from "./model-files.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

const [device, modelDirectory] = process.argv.slice(2) as [Provider, string];

async function trial(): Promise<TrialMessage> {
  try {
    const runtime = createOnnxRuntime({ device });
    const model = loadBaseModel(readModelFiles(modelDirectory));
    const loreft = await trialStep(runtime, model, "loreft");
    return { ok: true, steps: { loreft, lora: await trialStep(runtime, model, "lora") } };
  } catch (error) {
    const code = error instanceof NodeError ? error.code : undefined;
    const reason = error instanceof NodeError ? error.facts.reason : undefined;
    const text = error instanceof Error ? error.message : String(error);
    return { ok: false, code, reason: typeof reason === "string" ? reason : text };
  }
}

const message = await trial();
// The parent reads it before the end of the channel lets this process go.
process.send?.(message, () => process.disconnect());
