/** The oracle itself against PyTorch: every golden directory. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { goldenDirectories } from "../golden/golden-models.suite.ts";
import { hasReference, referenceForward } from "./reference-forward.suite.ts";
import type { SafetensorsFile } from "./safetensors.ts";
import { readSafetensors, toFloat32 } from "./safetensors.ts";

const open = (path: string): SafetensorsFile => readSafetensors(readFileSync(path), { name: path });
const integers = (file: SafetensorsFile, name: string): number[] =>
  Array.from(new BigInt64Array(file.tensors.get(name)!.bytes.slice().buffer), Number);

describe("the slow forward pass", () => {
  const configOf = (directory: string) => JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  const isStoredPlain = (directory: string): boolean => existsSync(join(directory, "model.safetensors"));
  const known = [...goldenDirectories()].filter(
    ([, directory]) => isStoredPlain(directory) && hasReference(configOf(directory)),
  );

  it("is there for the families that share one layout, and for those that do not", () =>
    expect(known.length).toBeGreaterThan(12));

  it.each(known)("%s: has PyTorch's logits", (_, directory) => {
    const config = configOf(directory);
    const stored = open(join(directory, "model.safetensors")).tensors;
    const golden = open(join(directory, "golden.safetensors"));
    const [examples, tokens] = golden.tensors.get("input_ids")!.shape as [number, number];
    const [ids, mask] = [integers(golden, "input_ids"), integers(golden, "attention_mask")];
    const logits = golden.tensors.get("base_logits")!;
    const expected = toFloat32(logits);
    const classes = logits.shape.at(-1)!;
    const scale = Math.max(...expected.map(Math.abs));
    for (let b = 0; b < examples; b++) {
      const length = mask.slice(b * tokens, (b + 1) * tokens).reduce((total, one) => total + one, 0);
      const text = { ids: ids.slice(b * tokens, (b + 1) * tokens), length };
      const rows = referenceForward(config, (name) => toFloat32(stored.get(name)!), text);
      const real = logits.shape.length === 2 ? 1 : length;
      for (let t = 0; t < real; t++) {
        for (const [v, x] of rows[t]!.entries()) {
          const golden = expected[(b * (logits.shape.length === 2 ? 1 : tokens) + t) * classes + v]!;
          expect(Math.abs(x - golden) / scale, `example ${b}, token ${t}, logit ${v}`).toBeLessThan(1e-5);
        }
      }
    }
  });
});
