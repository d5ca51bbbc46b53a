/** The door to training on one machine: data to examples, and a training or an evaluation without a network. */
export { trainCentrally } from "../local/central-training.ts";
export { loadExamples } from "../local/data-source.ts";
export { fitModel, trainingMemory } from "../local/fit.ts";
export { evaluateLocally, orderOf, plannedTotal, stepsOfEpochs, trainLocally } from "../local/local-training.ts";
export { neutralForgetting } from "../local/neutral-forgetting.ts";
export { holdOut, trainOnnx } from "../local/onnx-training.ts";
export { headCandidates, PROBE_STEPS, probe, probeCandidates } from "../local/probe.ts";
export { factsOf, factsOfModel, formOfExamples } from "../local/recipe-source.ts";
export { changedSettings, stoppedTraining, stoppedTrainingFiles } from "../local/stopped-training.ts";
export { evaluateTasks, type TaskMeasures } from "../local/task-evaluation.ts";
export { readTaskItems } from "../local/task-items.ts";
export { agreedEngine, baseIdentity } from "../model/base/agreed-base.ts";
export { loadPeerExamples, requireDemonstration } from "../peer/peer-data.ts";
export { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
export { startTrainerThread } from "../system/compute/trainer-thread.ts";
export { readOnnxModelFile, readTensorFile, writeOnnxModelFile } from "../system/files/onnx-model-file.ts";
