/** The door to training on one machine: data to examples, and a training or an evaluation without a network. */
export { loadExamples } from "../local/data-source.ts";
export { fitModel, trainingMemory } from "../local/fit.ts";
export { evaluateLocally, stepsOfEpochs, trainLocally } from "../local/local-training.ts";
export { holdOut, trainOnnx } from "../local/onnx-training.ts";
export { loadPeerExamples, requireDemonstration } from "../peer/peer-data.ts";
export { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
export { startTrainerThread } from "../system/compute/trainer-thread.ts";
export { readOnnxModelFile, readTensorFile, writeOnnxModelFile } from "../system/files/onnx-model-file.ts";
