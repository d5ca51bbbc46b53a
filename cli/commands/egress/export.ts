/** `weft egress export`: the record of everything that left a peer, for other programs. */

import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { dataDirectoryLayout, fileError, NodeError, recordDoor } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { existingDataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { choice } from "../../option-value.ts";
import { DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The forms that it can write, the usual one first. */
const EGRESS_FORMATS = ["csv", "json"] as const;

/** The row of `weft egress export`, and what it runs. */
export const exportEgressCommand: CommandRow = {
  name: ["egress", "export"],
  text: "Write the record of everything that left a peer as CSV or JSON. Each line is checked first.",
  options: [
    DATA_DIR,
    {
      flags: "--format <name>",
      text: `format of the file: ${EGRESS_FORMATS.join(" or ")}`,
      parse: choice(EGRESS_FORMATS),
      otherwise: EGRESS_FORMATS[0],
    },
    { flags: "--out <file>", text: "file to write", otherwise: "standard output" },
    {
      ...JSON_OUTPUT,
      text: "print one JSON document on standard output: the records, or with --out where they were written",
    },
  ],
  example: "weft egress export --data-dir alice --format csv --out egress.csv",
  json: {
    "*": "without --out a list of records; with --out: out, the file, and format",
  },
  run,
};

async function run(
  options: {
    readonly dataDir?: string;
    readonly format?: "csv" | "json";
    readonly out?: string;
    readonly json?: boolean;
  },
  terminal: Terminal,
): Promise<number> {
  const { checkedRecords, egressCsv, egressJson, egressLines } = await recordDoor();
  const { egress } = dataDirectoryLayout(existingDataDirectory(options.dataDir, terminal.environment));
  const records = checkedRecords(egressLines(egress));
  if (options.json && options.out === undefined && options.format === "csv") {
    throw new NodeError("CONFIG_INVALID", "--format csv writes no JSON; leave out --json, or give --out FILE");
  }
  const format = options.format ?? (options.json && options.out === undefined ? "json" : EGRESS_FORMATS[0]);
  const text = format === "json" ? egressJson(records) : egressCsv(records);
  if (options.out === undefined) {
    for await (const part of text) terminal.out(part);
    return EXIT_OK;
  }
  const path = resolve(options.out);
  await pipeline(Readable.from(text), createWriteStream(path, { flush: true })).catch((error: unknown) => {
    throw fileError(error, path);
  });
  terminal.err(`wrote ${path}\n`);
  if (options.json) terminal.out(jsonText({ out: path, format }));
  return EXIT_OK;
}
