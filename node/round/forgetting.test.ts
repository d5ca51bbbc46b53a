import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../interface/trainer.ts";
import { forgettingOf, NO_SCORES } from "./forgetting.ts";

const score = (loss: number, accuracy: number, tasks?: Evaluation["tasks"]): Evaluation => ({
  loss,
  accuracy,
  exactMatch: 0,
  tokens: 1,
  ...(tasks && { tasks }),
});

const told = (evaluations: readonly Evaluation[]) =>
  evaluations.reduce<ReturnType<typeof forgettingOf>>(({ best }, now) => forgettingOf(best, now), {
    best: NO_SCORES,
    forgetting: { loss: Number.NaN, accuracy: Number.NaN, tasks: [] },
  });

describe("forgetting", () => {
  it("is best so far minus now, for each task by itself", () => {
    const { forgetting, best } = told([
      score(2, 0.5, [
        { task: "a", loss: 1, accuracy: 0.75 },
        { task: "b", loss: 3, accuracy: 0.25 },
      ]),
      score(1, 0.25, [
        { task: "a", loss: 1.5, accuracy: 0.5 },
        { task: "b", loss: 0.5, accuracy: 0.5 },
      ]),
    ]);
    expect(forgetting).toEqual({
      loss: 0,
      accuracy: 0.25,
      tasks: [
        { task: "a", loss: 0.5, accuracy: 0.25 },
        { task: "b", loss: 0, accuracy: 0 },
      ],
    });
    expect(best.all).toEqual({ loss: 1, accuracy: 0.5 });
  });

  it("has nothing to compare the first scores with", () => {
    expect(told([score(2, 0.5)]).forgetting).toEqual({ loss: 0, accuracy: 0, tasks: [] });
  });

  it("remembers the best across a score that is no number", () => {
    const { forgetting } = told([score(2, 0.5), score(Number.NaN, Number.NaN), score(3, 0.25)]);
    expect(forgetting).toMatchObject({ loss: 1, accuracy: 0.25 });
    expect(told([score(2, 0.5), score(Number.NaN, Number.NaN)]).forgetting.loss).toBeNaN();
  });

  it("keeps the best of a task that is missing for a round", () => {
    const task = (accuracy: number) => [{ task: "a", loss: 1, accuracy }];
    const { forgetting } = told([score(1, 1, task(0.75)), score(1, 1), score(1, 1, task(0.5))]);
    expect(forgetting.tasks).toEqual([{ task: "a", loss: 0, accuracy: 0.25 }]);
  });

  it("agrees with the definition, written out, for any run", () => {
    const pair = fc.record({
      loss: fc.double({ min: 0, max: 9, noNaN: true }),
      accuracy: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 8 }), (run) => {
        const { best, forgetting } = told(run.map(({ loss, accuracy }) => score(loss, accuracy)));
        const now = run.at(-1)!;
        expect(forgetting.accuracy).toBe(Math.max(...run.map(({ accuracy }) => accuracy)) - now.accuracy);
        expect(forgetting.loss).toBe(now.loss - Math.min(...run.map(({ loss }) => loss)));
        expect(best.all.accuracy).toBeGreaterThanOrEqual(now.accuracy);
      }),
    );
  });
});
