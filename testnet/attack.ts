/** `npm run attack`: lets peers lie in every way under every rule, and writes docs/ROBUSTNESS.md from what came of it. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureFolder, NodeError, writeFileAtomic } from "../node/index.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { commitOf } from "./evaluation/commit.ts";
import { materialOf } from "./evaluation/material.ts";
import { knownOneRounds, ONE_ROUND_CELLS, runOneRounds } from "./evaluation/one-round-table.ts";
import { createResultFiles } from "./evaluation/result-files.ts";
import { robustnessPage } from "./evaluation/robustness-page.ts";
import { robustnessTable } from "./evaluation/robustness-table.ts";
import { cellsOf, knownCells, runTable } from "./evaluation/run-table.ts";
import type { Suite } from "./evaluation/table.ts";

const HELP = `npm run attack -- [flags]

  --quick        a few cells, in seconds; unless --out says otherwise into dist/attack
  --suite NAME   only this suite of the table, such as shipped or rules
  --one-round    only the table of single aggregations, which has every rule
  --only TEXT    only cells whose file's path contains the text, such as sign-flip
  --minutes N    stop after so many minutes; the same command goes on from there
  --page         compute nothing: write the page from the cells that are there
  --out DIR      where the cells go; default docs/evaluation/robustness
  --threads N    threads of the runtime; default 1

Writes docs/ROBUSTNESS.md, with --quick or --out DIR the file ROBUSTNESS.md in that folder.
`;

const root = fileURLToPath(new URL("..", import.meta.url));
const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());

try {
  await attack(process.argv.slice(2));
} catch (error) {
  const expected =
    error instanceof NodeError ||
    error instanceof ProtocolError ||
    (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
  process.stderr.write(expected ? `attack: ${error.message}\n` : `${(error as Error).stack ?? error}\n`);
  process.exitCode = expected ? 2 : 1;
}

async function attack(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      suite: { type: "string" },
      "one-round": { type: "boolean", default: false },
      only: { type: "string" },
      minutes: { type: "string" },
      page: { type: "boolean", default: false },
      out: { type: "string" },
      threads: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const { quick, only } = values;
  const isPublished = !quick && values.out === undefined;
  const out = resolve(values.out ?? resolve(root, quick ? "dist/attack" : "docs/evaluation/robustness"));
  const page = isPublished ? resolve(root, "docs/ROBUSTNESS.md") : resolve(out, "ROBUSTNESS.md");
  const whole = robustnessTable({ quick });
  const threads = countOf("--threads", values.threads);
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  const stop =
    values.minutes === undefined
      ? undefined
      : setTimeout(() => abort.abort(), 60_000 * countOf("--minutes", values.minutes)).unref();
  const options = {
    table: { ...whole, suites: suitesOf(whole.suites, values.suite) },
    files: createResultFiles(resolve(out, "cells")),
    materialOf: (suite: Suite) => materialOf(suite, { assets: out, base: undefined, threads }, tell),
    ...(only === undefined ? {} : { only }),
    signal: abort.signal,
    tell,
    commit: commitOf(root),
  };
  tell(`attack: cells in ${out}`);
  if (!values.page && !values["one-round"]) await runTable(options);
  const material = await options.materialOf(whole.suites[0]!);
  const single = material && { ...options, material, folder: resolve(out, "cells") };
  if (single && values["one-round"] && !values.page) await runOneRounds(single);
  clearTimeout(stop);
  const results = await knownCells({ ...options, table: whole });
  const text = robustnessPage({
    results,
    wanted: (suite) => cellsOf(suite, whole).length,
    methods: whole.methods,
    oneRounds: single && !quick ? await knownOneRounds(single) : [],
    oneRoundsWanted: quick ? 0 : ONE_ROUND_CELLS.length,
    command: quick ? "npm run attack -- --quick" : "npm run attack",
  });
  await ensureFolder(out);
  await writeFileAtomic(page, new TextEncoder().encode(text));
  if (abort.signal.aborted) tell("attack: stopped; the same command goes on from here");
  tell(`attack: wrote ${page}`);
}

/** Throws: NodeError CONFIG_INVALID. */
function suitesOf(suites: readonly Suite[], name: string | undefined): readonly Suite[] {
  const chosen = suites.filter((suite) => name === undefined || suite.name === name);
  if (chosen.length > 0) return chosen;
  const names = suites.map((suite) => suite.name).join(", ");
  throw new NodeError("CONFIG_INVALID", `there is no suite "${name}"; there are ${names}`);
}

/** Throws: NodeError CONFIG_INVALID. */
function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1440) return count;
  throw new NodeError("CONFIG_INVALID", `${flag} ${text} is not a whole number from 1 to 1440`);
}
