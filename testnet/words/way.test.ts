import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exampleRun } from "../fixtures/example-run.ts";
import { testnetDocument } from "./result.ts";
import { summaryLines } from "./summary.ts";
import { formatWay, shareOfWay, WAY_MIN, waySentence } from "./way.ts";

describe("the share of the way", () => {
  it("is 0 at alone, 1 at central, in a straight line between and beyond", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        fc.double({ min: 2 * WAY_MIN, max: 5, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (central, way, share) => {
          const alone = central + way;
          const swarm = alone - share * way;
          expect(shareOfWay({ alone, swarm, central })).toBeCloseTo(share, 6);
        },
      ),
    );
  });

  it.each([
    { alone: 1, swarm: 0.9, central: 1 - WAY_MIN / 2 },
    { alone: 1, swarm: 0.9, central: 1.2 },
    { alone: 1, swarm: Number.NaN, central: 0.5 },
    { alone: Number.NaN, swarm: 0.9, central: 0.5 },
    { alone: 1, swarm: 0.9, central: Number.NaN },
  ])("is none for %j", (losses) => expect(shareOfWay(losses)).toBeUndefined());

  it("is written in whole percent", () => {
    expect([undefined, 0.714, -0.2, 1.03].map(formatWay)).toEqual(["–", "71 %", "−20 %", "103 %"]);
  });
});

describe("the headline of a run", () => {
  const run = exampleRun();
  const central = (loss: number) => ({ peers: run.peers.map(() => ({ loss, accuracy: 0.9 })), steps: 1, seconds: 1 });

  it("is the last line of the summary, and its number stands in the document", () => {
    const result = { ...run, central: central(1) };
    const lines = summaryLines(result);
    expect(lines.at(-1)).toMatch(
      /^The swarm went \d+ % of the way from training alone to all data in one place \(mean /,
    );
    expect(lines.at(-1)).toBe(waySentence(result));
    const { shareOfTheWay, peers } = testnetDocument(result);
    expect(lines.at(-1)).toContain(formatWay(shareOfTheWay ?? undefined));
    expect(peers[0]).toMatchObject({ central: { loss: 1 } });
    expect(lines.find((line) => line.startsWith("peer 2"))).toContain("1.000");
  });

  it("says so where there is no way to go, and is not there without a training in one place", () => {
    expect(waySentence({ ...run, central: central(9) })).toMatch(/^No way to go: /);
    expect(testnetDocument({ ...run, central: central(9) }).shareOfTheWay).toBeNull();
    expect(waySentence(run)).toBeUndefined();
    expect(testnetDocument(run).shareOfTheWay).toBeNull();
  });
});
