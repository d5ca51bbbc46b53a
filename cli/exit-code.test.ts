import { expect, it } from "vitest";
import { NODE_ERROR_CODES, NodeError } from "../node/errors.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-code.ts";

it.each([
  ["CONFIG_INVALID", 2],
  ["DATA_FORMAT", 2],
  ["DIAL_FAILED", 3],
  ["TIMEOUT", 3],
  ["NOT_ADMITTED", 4],
  ["PRIVACY_BUDGET", 4],
  ["DISK_FULL", 5],
  ["PORT_IN_USE", 5],
  ["DATA_LOCKED", 5],
] as const)("%s ends with %i", (code, exit) => {
  expect(exitCodeOf(new NodeError(code, "that"))).toBe(exit);
});

it("a motion that nobody knows was mistyped, whichever rule found it", () => {
  expect(exitCodeOf(new NodeError("NOT_ALLOWED", "that", { problem: "motion-unknown" }))).toBe(2);
});

it("the machine is at its end whichever file was named, and a file that is not there was mistyped", () => {
  const ends = (system: string): number => exitCodeOf(new NodeError("DATA_DIRECTORY", "that", { system }));
  expect(["EFBIG", "EMFILE", "EIO", "ENOENT", "EACCES"].map(ends)).toEqual([5, 5, 5, 2, 2]);
});

it("every code that a failure ends with is documented", () => {
  const documented = EXIT_CODES.map(([code]) => code);
  for (const code of NODE_ERROR_CODES) expect(documented).toContain(exitCodeOf(new NodeError(code, "that")));
});
