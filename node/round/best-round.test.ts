import { expect, it, vi } from "vitest";
import type { RoundSummary } from "../interface/peer-event.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";
import { bestRoundOf, keepIfBest } from "./best-round.ts";
import { NO_SCORES } from "./forgetting.ts";

const adapter = Float32Array.of(1, 2, 3);
const trainer = { state: async () => ({ adapter }) } as unknown as Trainer;
const at = (loss: number, before = Number.NaN) => ({
  before: { ...NO_SCORES, all: { ...NO_SCORES.all, loss: before } },
  validation: { loss } as Evaluation,
  round: 3,
});

it("keeps the adapter, head included, of a round with a lower loss than any before", async () => {
  const logger = { warn: vi.fn() };
  const keepBest = vi.fn(async () => undefined);
  const dependencies = { trainer, keepBest, logger } as unknown as Parameters<typeof keepIfBest>[0];
  for (const [loss, before] of [
    [2, Number.NaN],
    [1, 2],
    [2, 2],
    [3, 2],
    [Number.NaN, Number.NaN],
    [Number.POSITIVE_INFINITY, Number.NaN],
  ]) {
    await keepIfBest(dependencies, at(loss!, before));
  }
  expect(keepBest.mock.calls).toEqual([[adapter], [adapter]]);
  keepBest.mockRejectedValueOnce(new Error("no space"));
  await keepIfBest(dependencies, at(1, 2));
  expect(logger.warn).toHaveBeenCalledWith(expect.any(String), { round: 3, reason: "no space" });
  await keepIfBest({ trainer, logger: dependencies.logger }, at(1, 2));
});

it("names the earliest of the rounds with the lowest loss", () => {
  const rounds = [Number.NaN, 3, 1, 1, 2].map((validationLoss, round) => ({ round, validationLoss }) as RoundSummary);
  expect(bestRoundOf(rounds)).toEqual({ round: 2, validationLoss: 1 });
  expect(bestRoundOf(rounds.slice(0, 1))).toBeUndefined();
  expect(bestRoundOf([])).toBeUndefined();
});
