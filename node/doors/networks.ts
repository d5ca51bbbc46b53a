/** The door to networks: their manifests are made here, and a model directory is compared with one. */
export { createNetwork, createSuccessor } from "../manifest/create-network.ts";
export { checkModel, modelProblems } from "../manifest/model-check.ts";
export { ModelDigests } from "../manifest/model-digests.ts";
