import { expect, it } from "vitest";
import { forgettingLines, forgettingRows, forgettingSentence } from "./forgetting-table.ts";

const forgetting = {
  loss: 0.0123,
  accuracy: 0.004,
  tasks: [
    { task: "sort", loss: 0, accuracy: 0 },
    { task: "reverse", loss: 0.2, accuracy: 0.056 },
  ],
};

it("has a row for the whole set and each task of each peer that was evaluated", () => {
  const rows = forgettingRows([
    { name: "peer 1", forgetting },
    { name: "peer 2", forgetting: undefined },
  ]);
  expect(rows.map(({ peer, task, accuracy }) => [peer, task, accuracy])).toEqual([
    ["peer 1", "all", 0.004],
    ["peer 1", "sort", 0],
    ["peer 1", "reverse", 0.056],
  ]);
});

it("prints points and nats, and a dash for what is no number", () => {
  const lines = forgettingLines([{ name: "p", forgetting: { ...forgetting, loss: Number.NaN } }]);
  expect(lines.slice(1)).toEqual(["p  0.4 % of accuracy, – nats; most on reverse: 5.6 %"]);
  expect(forgettingLines([{ name: "p", forgetting: undefined }])).toEqual([]);
});

it("names the task that most is forgotten of, if anything is", () => {
  expect(forgettingSentence(forgetting)).toBe("0.4 % of accuracy, 0.012 nats; most on reverse: 5.6 %");
  expect(forgettingSentence({ loss: 0, accuracy: 0, tasks: forgetting.tasks.slice(0, 1) })).toBe(
    "0.0 % of accuracy, 0.000 nats",
  );
});
