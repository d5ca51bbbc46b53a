import { describe, expect, it } from "vitest";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createNetwork } from "./create-network.ts";
import { verifyModel } from "./verify-model.ts";

const modelDirectory = embeddedModelDirectory();
const files = readModelFiles(modelDirectory);
const adapter = { kind: "loreft", rank: 4, layers: "all", positions: { first: 4, last: 6, tied: false } } as const;

describe("a local model against a manifest", () => {
  const manifest = createNetwork({ name: "test", modelDirectory, adapter, seed: 1 });

  it("is the right one", () => {
    expect(() => verifyModel(manifest, files)).not.toThrow();
  });

  it.each(["config", "tokenizer", "weights"] as const)("is refused when its %s differs, with both digests", (part) => {
    const other = {
      ...manifest,
      model: { ...manifest.model, digest: { ...manifest.model.digest, [part]: "0".repeat(64) } },
    };
    const digest = manifest.model.digest[part].slice(0, 16);
    expect(() => verifyModel(other, files)).toThrow(
      expect.objectContaining({ code: "MODEL_MISMATCH", message: expect.stringContaining(digest) }),
    );
  });

  it.each([
    ["misses one", manifest.tensors.slice(1)],
    ["has one too many", [...manifest.tensors, { name: "more", shape: [1] }]],
    ["has another shape", manifest.tensors.map((t, i) => (i === 0 ? { ...t, shape: [8, 64] } : t))],
  ])("is refused when the list of tensors %s", (_, tensors) => {
    expect(() => verifyModel({ ...manifest, tensors }, files)).toThrow(
      expect.objectContaining({ code: "MANIFEST_INVALID" }),
    );
  });
});
