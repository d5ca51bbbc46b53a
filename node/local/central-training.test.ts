import { describe, expect, it } from "vitest";
import type { Trainer, TrainerOptions } from "../interface/trainer.ts";
import { createNetwork } from "../manifest/create-network.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { trainCentrally } from "./central-training.ts";

const modelDirectory = embeddedModelDirectory();
const manifest = createNetwork({
  name: "central",
  modelDirectory,
  adapter: { kind: "loreft", rank: 1, layers: [0], positions: "all" },
  rounds: { count: 2, localSteps: 5 },
  seed: 3,
});

/** A trainer that only remembers what it was told. */
function told(seen: { options?: TrainerOptions; steps: number; closed: boolean }) {
  return async (options: TrainerOptions): Promise<Trainer> => {
    seen.options = options;
    const trainer: Partial<Trainer> = {
      train: async ({ steps }) => {
        seen.steps += steps;
        return { losses: [], stepsSkipped: 0, seconds: 1 };
      },
      evaluate: async () => {
        const names = [...new Set(options.data.test.map(({ task }) => task!))];
        const tasks = names.map((task, i) => ({ task, loss: i, accuracy: i / 10 }));
        return { loss: 1, accuracy: 0, exactMatch: 0, tokens: 1, tasks };
      },
      close: async () => void (seen.closed = true),
    };
    return trainer as Trainer;
  };
}

describe("training with all data in one place", () => {
  it("takes everybody's examples and the peers' steps together, and scores each peer's own test set", async () => {
    const seen = { steps: 0, closed: false } as Parameters<typeof told>[0];
    const result = await trainCentrally({
      manifest,
      modelDirectory,
      data: {},
      peers: 3,
      engine: {},
      signal: new AbortController().signal,
      start: told(seen),
    });
    expect(seen).toMatchObject({ steps: 30, closed: true, options: { totalSteps: 30, networkSeed: 3 } });
    const { train, test } = seen.options!.data;
    expect([train.length, test.length]).toEqual([3 * 64, 3 * 120]);
    expect(result.peers).toEqual([0, 1, 2].map((i) => ({ loss: i, accuracy: i / 10 })));
    const asked = new Set(train.map(({ tokens }) => tokens.join(" ")));
    expect(test.some(({ tokens }) => asked.has(tokens.join(" ")))).toBe(false);
  });

  it("ends where it is stopped", async () => {
    const seen = { steps: 0, closed: false } as Parameters<typeof told>[0];
    const abort = new AbortController();
    const stopped = trainCentrally({
      manifest,
      modelDirectory,
      data: {},
      peers: 2,
      engine: {},
      signal: abort.signal,
      onStep: () => abort.abort(new Error("stopped")),
      start: told(seen),
    });
    await expect(stopped).rejects.toThrow("stopped");
    expect(seen).toMatchObject({ steps: 8, closed: true });
  });
});
