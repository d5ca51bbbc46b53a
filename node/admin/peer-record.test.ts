import { expect, test } from "vitest";
import { MIXES_KEPT_MAX, PeerRecord, UPDATES_KEPT_MAX } from "./peer-record.ts";

const clock = { now: () => 0 };
const at = "1970-01-01T00:00:00.000Z";

test("updates are kept with their reasons and counted by them", () => {
  const record = new PeerRecord(clock);
  record.note({ type: "step" });
  record.note({ type: "update", round: 1, from: "a", verdict: "accept" } as never);
  record.note({ type: "update", round: 1, from: "b", verdict: "ignore", code: "ROUND_OLD" } as never);
  record.note({ type: "update", round: 2, from: "b", verdict: "ignore", code: "ROUND_OLD" } as never);
  expect(record.updates()).toEqual([
    { round: 1, from: "a", verdict: "accept", at },
    { round: 1, from: "b", verdict: "ignore", code: "ROUND_OLD", at },
    { round: 2, from: "b", verdict: "ignore", code: "ROUND_OLD", at },
  ]);
  expect(record.verdicts()).toEqual([
    { verdict: "accept", code: "", count: 1 },
    { verdict: "ignore", code: "ROUND_OLD", count: 2 },
  ]);
});

test("a round that is done again replaces what was told of it, and only the newest are kept", () => {
  const record = new PeerRecord(clock);
  const mix = (round: number, lambda: number) => record.note({ type: "mixed", round, lambda, neighbours: [] } as never);
  mix(0, 0.1);
  mix(1, 0.2);
  mix(1, 0.3);
  expect(record.mixes()).toEqual([
    { round: 0, lambda: 0.1, neighbours: [] },
    { round: 1, lambda: 0.3, neighbours: [] },
  ]);
  for (let round = 2; round < MIXES_KEPT_MAX + 50; round++) mix(round, 1);
  expect(record.mixes()).toHaveLength(MIXES_KEPT_MAX);
  for (let n = 0; n < UPDATES_KEPT_MAX + 9; n++)
    record.note({ type: "update", round: n, from: "a", verdict: "accept" } as never);
  expect(record.updates()).toHaveLength(UPDATES_KEPT_MAX);
  expect(record.updates().at(-1)).toMatchObject({ round: UPDATES_KEPT_MAX + 8 });
});

test("scores are kept by round, as mixes are, and a round without any tells of none", () => {
  const record = new PeerRecord(clock);
  const scores = (gain: number) => [{ peer: "a", looks: 1, gain }];
  const done = (round: number, gain?: number) =>
    record.note({ type: "round", summary: { round }, ...(gain !== undefined && { scores: scores(gain) }) } as never);
  done(0);
  done(1, 0.1);
  done(2, 0.2);
  done(2, 0.3);
  expect(record.scores()).toEqual([
    { round: 1, scores: scores(0.1) },
    { round: 2, scores: scores(0.3) },
  ]);
  for (let round = 3; round < MIXES_KEPT_MAX + 50; round++) done(round, 1);
  expect(record.scores()).toHaveLength(MIXES_KEPT_MAX);
});
