import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createTrialLog } from "./trial-log.ts";

test("a trial goes on where it stopped, and its table has the means over the seeds of the same settings", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-trial-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const print = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => print.mockRestore());
  const file = join(folder, "log.jsonl");
  const first = createTrialLog(file);
  for (const [seed, loss] of [1, 2, 6].entries()) first.add({ way: "a", split: "iid", seed, steps: 4 }, { loss });
  first.add({ way: "b", split: "iid", seed: 0, steps: 4 }, { loss: 0.25 });
  first.add({ way: "a", split: "iid", seed: 0, steps: 5 }, { loss: 99 });
  first.add({ way: "b", split: "mixture", seed: 0, steps: 4 }, { loss: 5 });

  const next = createTrialLog(file);
  expect(next.has({ way: "a", split: "iid", seed: 2, steps: 4 })).toBe(true);
  expect(next.has({ way: "a", split: "iid", seed: 2, steps: 5 })).toBe(false);
  expect(next.table({ rows: "way", columns: "split", score: "loss" }, { steps: 4 })).toBe(
    [
      "| loss | iid | mixture |",
      "|---|---:|---:|",
      "| a | 3.000 | – |",
      "| b | 0.250 (seeds: 1) | 5.000 (seeds: 1) |",
      "",
    ].join("\n"),
  );
  expect(next.table({ rows: "way", columns: "seed", score: "loss", isShare: true }, { way: "b", split: "iid" })).toBe(
    ["| loss | 0 |", "|---|---:|", "| b | 25.0 % (seeds: 1) |", ""].join("\n"),
  );
  next.add({ way: "c", split: "iid", seed: 0, steps: 4 }, { loss: 1 });
  expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(7);
});
