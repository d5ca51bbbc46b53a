import { expect, it } from "vitest";
import { fittedLines } from "./fitted-lines.ts";

const STATUS = 'asks        "clinic", 12D3KooWAbc, fingerprint 12345 67890 12345 67890';

it("cuts lines that are too wide, so that each stands on one line of the terminal", () => {
  expect(fittedLines(["one", "x".repeat(100)], { columns: 11 })).toEqual(["one", "x".repeat(10)]);
  expect(fittedLines(["病院病院病院", "e\u0301e\u0301e\u0301e\u0301"], { columns: 6 })).toEqual([
    "病院",
    "e\u0301e\u0301e\u0301e\u0301",
  ]);
  expect(fittedLines(["abc"], { columns: 0 })).toEqual(["a"]);
});

it("folds them where it is asked to and a blank is there, and loses nothing of what is folded", () => {
  const lines = fittedLines(
    [STATUS, "addresses   /ip4/127.0.0.1/tcp/9000/p2p/long"],
    { columns: 40 },
    { folded: true },
  );
  expect(lines).toEqual([
    'asks        "clinic", 12D3KooWAbc,',
    "            fingerprint 12345 67890",
    "            12345 67890",
    "addresses   /ip4/127.0.0.1/tcp/9000/p2p",
  ]);
  expect(fittedLines([STATUS], { columns: 200 }, { folded: true })).toEqual([STATUS]);
  expect(fittedLines([STATUS], { columns: 10 }, { folded: true })).toHaveLength(1);
});

it("shows no more lines than the terminal has, and says how many are missing", () => {
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  expect(fittedLines(lines, { columns: 80, rows: 31 })).toEqual(lines);
  const few = fittedLines(lines, { columns: 80, rows: 5 });
  expect(few).toEqual(["line 0", "line 1", "line 2", "… 27 more lines; a taller terminal shows them"]);
  expect(fittedLines(lines, { columns: 80, rows: 1 })).toHaveLength(1);
});
