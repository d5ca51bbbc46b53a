/**
 * `npm run bench:aggregate [-- --json]`: time and memory of one aggregation by every rule, tensor by tensor, through the
 * product's own entry point; each case in a process of its own. Ends with 1 when a limit does not hold.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { AggregateMeasurement } from "./aggregate-case.ts";
import { AGGREGATE_CASES, OVERHEAD_MAX } from "./aggregate-cases.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });

const rows = AGGREGATE_CASES.map(({ name, shape, secondsMax }, i) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, "aggregate-case.ts"), String(i)],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${name} failed:\n${stderr}`);
  const measured = JSON.parse(stdout) as AggregateMeasurement;
  // Below this the inputs are small beside the runtime's own memory, and the share says nothing.
  const overheadMax = 4 * shape.neighbours * shape.parameters >= 2 ** 27 ? OVERHEAD_MAX : undefined;
  const holds =
    measured.cpuSeconds <= (secondsMax ?? Number.POSITIVE_INFINITY) &&
    measured.overhead <= (overheadMax ?? Number.POSITIVE_INFINITY);
  return { name, ...measured, secondsMax: secondsMax ?? null, overheadMax: overheadMax ?? null, holds };
});

if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else process.stdout.write(table());
process.exitCode = rows.every(({ holds }) => holds) ? 0 : 1;

function table(): string {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const lines = rows.map((row) => {
    const { name, cpuSeconds, wallSeconds, secondsMax, overhead, overheadMax, holds } = row;
    const limit = secondsMax === null ? "-" : secondsMax.toFixed(2);
    const memory = overheadMax === null ? "- | -" : `${percent(overhead)} | ${percent(overheadMax)}`;
    return `| ${name} | ${cpuSeconds.toFixed(2)} | ${wallSeconds.toFixed(2)} | ${limit} | ${memory} | ${holds ? "yes" : "NO"} |`;
  });
  return `${["| rule, neighbours x parameters | processor s | wall s | at most | memory above inputs | at most | holds |", "|---|---|---|---|---|---|---|", ...lines].join("\n")}\n`;
}
