import { expect, it } from "vitest";
import { loadBaseModel } from "../huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../random-model.suite.ts";
import { agreedEngine, assertAgreed, baseIdentity } from "./agreed-base.ts";

const config = CONFIGS.llama;
const tensors = randomTensors(config);
const filesAgain = () => filesOf(config, tensors);

it("has the same digest however often it is made, another one for each form, and none of its own in f32", () => {
  const files = filesAgain();
  const [one, two] = [loadBaseModel(files), loadBaseModel(filesAgain())];
  const digests = (["f16", "q8", "q8-e8", "q4", "q4-e8"] as const).map((form) => {
    const found = baseIdentity(one, files, form);
    expect(baseIdentity(two, filesAgain(), form)).toEqual(found);
    expect(found).toEqual({ form, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    return JSON.stringify(found);
  });
  expect(new Set(digests).size).toBe(5);
  expect(baseIdentity(one, files, "f32")).toEqual({ form: "f32" });
});

it("keeps its digest: the form that published manifests agreed on does not change", () => {
  // Multiples of 1/32, which are the same numbers on every machine.
  const fixed = tensors.map((tensor) => ({
    ...tensor,
    data: tensor.data.map((_, i) => ((i * 37 + tensor.name.length) % 64) / 32 - 1),
  }));
  const files = filesOf(config, fixed);
  const model = loadBaseModel(files);
  const digests = (["f16", "q8", "q4"] as const).map((form) => {
    const found = baseIdentity(model, files, form);
    return found.form === "f32" ? "" : found.digest.slice(0, 16);
  });
  expect(digests).toEqual(["e36afa8dd12364b0", "7d6e94e826973c9d", "5a00bbb1918fa6c1"]);
});

it("is taken by a peer that says nothing, and another one is refused", () => {
  const agreed = { form: "q4", digest: "0".repeat(64) } as const;
  expect(agreedEngine({ threads: 2 }, agreed)).toEqual({ threads: 2, base: "q4" });
  expect(agreedEngine({ base: "q4" }, agreed)).toEqual({ base: "q4" });
  expect(agreedEngine({ base: "q8" }, undefined)).toEqual({ base: "q8" });
  const refused = expect.objectContaining({
    code: "CONFIG_INVALID",
    message: "all peers of this network train on the base in q4, and this one is to keep it in f32",
    facts: expect.objectContaining({ problem: "another-base" }),
  });
  expect(() => agreedEngine({ base: "f32" }, agreed)).toThrow(refused);
});

it("is refused where a model gives another digest", () => {
  const files = filesAgain();
  const model = loadBaseModel(files);
  expect(() => assertAgreed(model, files, undefined)).not.toThrow();
  expect(() => assertAgreed(model, files, { form: "f32" })).not.toThrow();
  expect(() => assertAgreed(model, files, baseIdentity(model, files, "q4"))).not.toThrow();
  const refused = expect.objectContaining({
    code: "MODEL_MISMATCH",
    message: expect.stringMatching(
      /^the base in q4 has digest [0-9a-f]{16}… here, and 0{16}… in the network's manifest$/,
    ),
  });
  expect(() => assertAgreed(model, files, { form: "q4", digest: "0".repeat(64) })).toThrow(refused);
});
