import { describe, expect, it } from "vitest";
import type { PeerReport } from "../../node/interface/peer-event.ts";
import { exampleEvents } from "../fixtures/example-run.ts";
import { comparisonSentences, hadNoNeighbours, isLessAccurateThanAlone, isWorseThanAlone } from "./comparison.ts";

const finished = exampleEvents(1).at(-1);
if (finished?.type !== "finished") throw new Error("the example's last event is its report");
const { report } = finished;

/** The example's report with other scores, and with so many neighbours in each of its rounds. */
function reportOf(
  alone: readonly [loss: number, accuracy: number],
  swarm: readonly [loss: number, accuracy: number],
  neighbours = 2,
): PeerReport {
  return {
    ...report,
    alone: { loss: alone[0], accuracy: alone[1], exactMatch: 0 },
    swarm: { loss: swarm[0], accuracy: swarm[1], exactMatch: 0 },
    rounds: report.rounds.map((summary) => ({ ...summary, neighbours })),
  };
}

describe("comparison with training alone", () => {
  it.each([
    [4.55, 4.55, false],
    [4.55, 4.5503, false],
    [4.55, 4.551, true],
    [4.5504, 4.5506, true],
    [4.55, 4.549, false],
    [4.55, Number.NaN, true],
    [4.55, null as unknown as number, true],
    [null as unknown as number, 4.55, false],
    [Number.NaN, Number.NaN, false],
  ])("of loss %d alone and %d in the swarm: worse is %s", (alone, swarm, worse) => {
    expect(isWorseThanAlone(reportOf([alone, 0.5], [swarm, 0.5]))).toBe(worse);
  });

  it.each([
    [0.5, 0.5, false],
    [0.5, 0.4998, false],
    [0.5, 0.499, true],
    [0.5, 0.6, false],
  ])("of accuracy %d alone and %d in the swarm: less is %s", (alone, swarm, less) => {
    expect(isLessAccurateThanAlone(reportOf([1, alone], [1, swarm]))).toBe(less);
  });

  it("compares nothing where nothing was trained alone", () => {
    const { alone: _, ...only } = reportOf([1, 0.5], [9, 0]);
    expect([isWorseThanAlone(only), isLessAccurateThanAlone(only)]).toEqual([false, false]);
  });

  it("knows a peer that never had a neighbour from one that had one once", () => {
    const lonely = reportOf([1, 0.5], [1, 0.5], 0);
    const [first, ...others] = lonely.rounds;
    expect(hadNoNeighbours(lonely)).toBe(true);
    expect(hadNoNeighbours({ rounds: [...others, { ...first!, neighbours: 1 }] })).toBe(false);
  });

  it("says in words what was worse, and that there was nobody", () => {
    expect(comparisonSentences(reportOf([1, 0.5], [1, 0.5]))).toEqual([]);
    expect(comparisonSentences(reportOf([1, 0.5], [1.1, 0.5]))).toEqual([
      "The swarm was WORSE for this peer than training alone.",
    ]);
    const lonely = reportOf([1, 0.5], [1.1, 0.4], 0);
    expect([isWorseThanAlone(lonely), isLessAccurateThanAlone(lonely)]).toEqual([false, false]);
    expect(comparisonSentences(lonely)).toEqual([
      "This peer had no neighbours: no update of another peer ever entered its aggregate.",
    ]);
  });
});
