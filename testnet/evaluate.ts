/** `npm run evaluate`: runs the declared table and writes the page, the numbers and the plots. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ENGINE_OPTIONS, ensureFolder, NodeError, writeFileAtomic } from "../node/index.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { fieldBounds, valueOfText } from "../protocol/settings/field.ts";
import { checkClaims } from "./evaluation/claims.ts";
import { commitOf } from "./evaluation/commit.ts";
import { csvOf } from "./evaluation/csv.ts";
import { pageOf } from "./evaluation/markdown.ts";
import { materialOf } from "./evaluation/material.ts";
import { plotsOf } from "./evaluation/plot.ts";
import { createResultFiles } from "./evaluation/result-files.ts";
import { knownCells, runTable } from "./evaluation/run-table.ts";
import { rowsOf } from "./evaluation/summary-rows.ts";
import { readTable } from "./evaluation/table.ts";

const HELP = `npm run evaluate -- [flags]

  --quick        a small cut of the table, under 5 minutes; unless --out says otherwise into docs/evaluation/quick
  --table FILE   the declared table; default testnet/evaluation/table.json
  --only TEXT    only cells whose file's path contains the text, such as tasks/mixed-n8-s1
  --out DIR      where page, numbers, plots and cells go; default docs/evaluation
  --known        write the page of what is there, say what is missing, and compute nothing
  --base DIR     base model directory of the suites that need one to be named
  --assets DIR   data sets and models made by others; default ../shared/assets
  --threads N    threads of the runtime; default 1

Stops at once with Ctrl-C, and goes on where it stopped: each cell is a file in cells/ below --out.
`;

const root = fileURLToPath(new URL("..", import.meta.url));
const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());

try {
  await evaluate(process.argv.slice(2));
} catch (error) {
  const expected =
    error instanceof NodeError ||
    error instanceof ProtocolError ||
    (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
  process.stderr.write(expected ? `evaluate: ${error.message}\n` : `${(error as Error).stack ?? error}\n`);
  process.exitCode = expected ? 2 : 1;
}

async function evaluate(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      table: { type: "string" },
      only: { type: "string" },
      known: { type: "boolean", default: false },
      out: { type: "string" },
      base: { type: "string" },
      assets: { type: "string", default: resolve(root, "../shared/assets") },
      threads: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const { quick, only, known, base, assets } = values;
  const tableName = values.table ?? resolve(root, `testnet/evaluation/${quick ? "quick" : "table"}.json`);
  const out = resolve(values.out ?? resolve(root, quick ? "docs/evaluation/quick" : "docs/evaluation"));
  const table = readTable(tableName);
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  const skipped: string[] = [];
  tell(`evaluate: results in ${out}`);
  const results = await (known ? knownCells : runTable)({
    table,
    files: createResultFiles(resolve(out, "cells")),
    materialOf: (suite) =>
      materialOf(suite, { assets, base, threads: threadsOf(values.threads) }, (reason) => {
        skipped.push(reason);
        tell(`evaluate: ${reason}`);
      }),
    ...(only === undefined ? {} : { only }),
    signal: abort.signal,
    tell,
    commit: commitOf(root),
  });
  if (abort.signal.aborted) return tell("evaluate: stopped; the same command goes on from here");
  const plots = (await Promise.all(results.map(plotsOf))).flat();
  const claims = checkClaims(results);
  const flags = [...(quick ? ["--quick"] : []), ...(values.table ? [`--table ${values.table}`] : [])];
  const command = ["npm run evaluate", ...(flags.length > 0 ? ["--", ...flags] : [])].join(" ");
  const notes = await notesOf(tableName);
  const page = pageOf({ results, plots, claims, reasons: table.reasons, skipped, notes, command });
  await ensureFolder(out);
  const write = (name: string, text: string): Promise<void> =>
    writeFileAtomic(resolve(out, name), new TextEncoder().encode(text));
  await write("README.md", page);
  await write("results.csv", csvOf(results.flatMap(rowsOf)));
  for (const { name, svg } of plots) await write(`${name}.svg`, svg);
  for (const { claim, finding } of claims) process.stdout.write(`${finding}: ${claim}\n`);
  tell(`evaluate: wrote ${resolve(out, "README.md")}`);
}

/** What people wrote beside a table, `published.notes.md` beside `published.json`: the last part of its page. */
async function notesOf(table: string): Promise<string> {
  try {
    return await readFile(table.replace(/\.json$/, ".notes.md"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** Throws: NodeError CONFIG_INVALID. */
function threadsOf(text: string): number {
  const threads = valueOfText(ENGINE_OPTIONS.threads, text);
  if (threads !== undefined) return threads;
  throw new NodeError("CONFIG_INVALID", `--threads ${text} is not ${fieldBounds(ENGINE_OPTIONS.threads)}`);
}
