import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AggregationSettings } from "../../protocol/network-manifest.ts";
import { ofType, type Peer, peer, run, type Setting, world } from "./driver.suite.ts";
import {
  dueNeighbours,
  figuresOf,
  GAIN_MAX,
  GAINS_MAX,
  gainOf,
  type NeighbourScore,
  SHOWN_MAX,
  shownScores,
  withLook,
} from "./neighbour-scores.ts";
import { testManifest } from "./twins.suite.ts";

const score = (peer: string, round: number, ...gains: number[]): NeighbourScore => ({ peer, round, gains });

describe("looks at neighbours", () => {
  it("are at strangers first, then at those whose last look is longest ago", () => {
    const scores = [score("a", 3, 1), score("b", 1, 1), score("c", 2, 1)];
    expect(dueNeighbours(scores, ["a", "b", "c", "e", "d"], 3)).toEqual(["d", "e", "b"]);
    expect(dueNeighbours(scores, ["a"], 3)).toEqual(["a"]);
  });

  it("come to everybody in turn, whoever is heard", () => {
    const heard = Array.from({ length: 7 }, (_, i) => `p${i}`);
    let scores: readonly NeighbourScore[] = [];
    for (let round = 0; round < 21; round++) {
      for (const peer of dueNeighbours(scores, heard, 1)) scores = withLook(scores, { peer, round, gain: 0 }, 100);
    }
    expect(scores.map(({ gains }) => gains.length)).toEqual(Array(7).fill(3));
  });

  it("keep the newest gains, and the neighbours that were looked at last", () => {
    let scores: readonly NeighbourScore[] = [score("old", 0, 9)];
    for (let round = 1; round <= GAINS_MAX + 2; round++)
      scores = withLook(scores, { peer: "a", round, gain: round }, 2);
    expect(scores[1]!.gains).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    scores = withLook(scores, { peer: "b", round: 99, gain: 0 }, 2);
    expect(scores.map(({ peer }) => peer)).toEqual(["a", "b"]);
  });

  it("count a loss that is no number as the most harm, and nothing where the own adapter has none", () => {
    expect(gainOf({ loss: 2 }, { loss: 1.5 })).toBe(0.5);
    expect(gainOf({ loss: 2 }, { loss: Number.NaN })).toBe(-GAIN_MAX);
    expect(gainOf({ loss: 2 }, undefined)).toBe(-GAIN_MAX);
    expect(gainOf({ loss: 2 }, { loss: 1e9 })).toBe(-GAIN_MAX);
    expect(gainOf({ loss: Number.NaN }, { loss: 1 })).toBe(0);
  });

  it("give a mean and its interval, as written out", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 3, maxLength: 8 }), (gains) => {
        const { gain, interval, looks } = figuresOf(score("a", 0, ...gains));
        const mean = gains.reduce((sum, one) => sum + one, 0) / gains.length;
        const deviation = Math.sqrt(gains.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (gains.length - 1));
        // Tables: the 97.5 % quantiles with 2 to 7 degrees of freedom.
        const t = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365][gains.length - 3]!;
        expect(looks).toBe(gains.length);
        expect(gain).toBeCloseTo(mean, 12);
        expect(Math.abs(interval! - (t * deviation) / Math.sqrt(gains.length))).toBeLessThan(0.04 * interval! + 1e-9);
      }),
    );
    expect(figuresOf(score("a", 0, 3))).toEqual({ peer: "a", looks: 1, gain: 3 });
  });

  it("are shown with the worst first, and not all of many", () => {
    const scores = Array.from({ length: SHOWN_MAX + 9 }, (_, i) => score(`p${i}`, 0, (i * 7) % 41));
    const shown = shownScores(scores).scores!;
    expect(shownScores([])).toEqual({});
    expect(shown).toHaveLength(SHOWN_MAX);
    expect(shown.map(({ gain }) => gain)).toEqual(Array.from({ length: SHOWN_MAX }, (_, i) => i));
  });
});

const ROUNDS = 8;

/** Three honest peers of one target, and a liar. */
async function swarm(weights?: AggregationSettings["weights"]): Promise<readonly Peer[]> {
  const { clock, hub } = world();
  const liar = hub.join("liar");
  const lambda = { mode: "fixed", value: 0.5 } as const;
  const aggregation = { ...testManifest().aggregation, rule: "mean", lambda, ...(weights && { weights }) };
  const manifest = testManifest({ count: ROUNDS, localSteps: 4 }, { aggregation: aggregation as AggregationSettings });
  const setting: Setting = { manifest, target: 0.5 };
  const peers: Peer[] = [];
  for (const name of ["x", "y", "z"]) peers.push(await peer(clock, hub, name, setting));
  const tell = (round: number): void => {
    const theta = new Float32Array(6).fill(-2);
    if (round < ROUNDS) void liar.publish({ round, theta, localSteps: 1, sampleCount: 1 });
  };
  tell(0);
  for (const { exchange } of peers) exchange.onUpdate(({ round = 0, from }) => from === "x" && tell(round));
  await run(clock, ...peers);
  return peers;
}

describe("a peer that looks at its neighbours", () => {
  it("tells who harms, and remembers it", async () => {
    const peers = await swarm();
    for (const { events, checkpoints } of peers) {
      const { scores } = ofType(events, "round").at(-1)!;
      expect(scores![0]).toMatchObject({ peer: "liar" });
      expect(scores![0]!.gain).toBeLessThan(0);
      expect(scores!.every(({ looks }) => looks >= 2)).toBe(true);
      const { state } = checkpoints.saved.at(-1)!;
      expect((state as { scores: NeighbourScore[] }).scores).toHaveLength(3);
    }
  });

  it("is drawn away less by the liar where the network weighs by scores", async () => {
    const lossOf = (peers: readonly Peer[]): number =>
      Math.max(...peers.map(({ events }) => ofType(events, "finished")[0]!.report.swarm.loss));
    const plain = lossOf(await swarm());
    const weighed = lossOf(await swarm({ kind: "score", temperature: 0.1 }));
    expect(weighed).toBeLessThan(plain / 4);
  });
});
