import { expect, test } from "vitest";
import { createLogger } from "./log.ts";

test("a line is JSON with level, fixed text and fields; lower levels are left out", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", fields: { self: "a" }, write: (line) => lines.push(line) });
  log.debug("hidden", { round: 1 });
  log.info("update accepted", { peer: "b", round: 2 });
  log.warn("late");
  log.error("failed", { code: "X" });
  const read = lines.map((line) => JSON.parse(line));
  expect(read).toMatchObject([
    { level: "info", self: "a", peer: "b", text: "update accepted", round: 2 },
    { level: "warn", text: "late" },
    { level: "error", text: "failed", code: "X" },
  ]);
  expect(lines.every((line) => line.endsWith("\n"))).toBe(true);
});
