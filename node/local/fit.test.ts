import { expect, it } from "vitest";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { fitModel, trainingMemory } from "./fit.ts";

const modelDirectory = embeddedModelDirectory();
const adapter = { kind: "lora", rank: 4, alpha: 8, targets: ["q_proj"], layers: "all" } as const;

it("names what each form of the base takes, and takes the closest to the model that fits", () => {
  const { rows, best, tokens } = fitModel({ modelDirectory, adapter, examples: 2, tokens: 1000 });
  expect(tokens).toBe(256);
  expect(rows).toHaveLength(18);
  const found = rows.filter(({ base }) => base === "q4");
  const [wide, narrow, streamed] = [rows[0]!, found.at(-2)!, found.at(-1)!];
  const [, small] = rows.filter(({ base }) => base === "q4-e8");
  // Of the embedding, too, a quarter and its scales.
  expect(small!.needed.weights).toBeLessThan(narrow.needed.weights);
  expect(narrow).toMatchObject({ base: "q4", lowMemory: true });
  // Of the layers' weights an eighth and their scales, of the embedding a half.
  expect(narrow.needed.weights).toBeLessThan(0.25 * wide.needed.weights);
  expect(narrow.needed.activations).toBeLessThan(wide.needed.activations);
  expect(streamed).toMatchObject({ base: "q4", streamBlocks: true });
  expect(streamed.needed.weights).toBeLessThan(0.6 * narrow.needed.weights);
  expect(best).toMatchObject({ base: "f32", lowMemory: false, streamBlocks: false });
});

it("refuses a training that will not fit, before it begins", () => {
  const example = { tokens: new Array<number>(256).fill(1), promptLength: 1 };
  const data = { train: [example], validation: [], test: [] };
  const training = { optimizer: "adamw", learningRate: 1, weightDecay: 0, gradientClip: 1, maxTokens: 256 } as const;
  const asked = { modelDirectory, adapter, data, engine: {} };
  expect(trainingMemory({ ...asked, training: { ...training, batchSize: 1 } }).needed.total).toBeGreaterThan(1e8);
  const refused = expect.objectContaining({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/takes about [\d.]+ GB of memory, and [\d.]+ GB are available/),
    facts: expect.objectContaining({ problem: "memory-short" }),
  });
  expect(() => trainingMemory({ ...asked, training: { ...training, batchSize: 4096 } })).toThrow(refused);
});
