/** `weft egress export`: the record of everything that left a peer, for other programs. */

import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { dataDirectoryLayout, fileError, recordDoor } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { choice } from "../../option-value.ts";
import { DATA_DIR } from "../../shared-options.ts";
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
  ],
  example: "weft egress export --data-dir alice --format csv --out egress.csv",
  run,
};

async function run(
  options: { readonly dataDir?: string; readonly format?: "csv" | "json"; readonly out?: string },
  terminal: Terminal,
): Promise<number> {
  const { checkedRecords, egressCsv, egressJson, egressLines } = await recordDoor();
  const { egress } = dataDirectoryLayout(dataDirectory(options.dataDir, terminal.environment));
  const records = checkedRecords(egressLines(egress));
  const text = options.format === "json" ? egressJson(records) : egressCsv(records);
  if (options.out === undefined) {
    for await (const part of text) terminal.out(part);
    return EXIT_OK;
  }
  const path = resolve(options.out);
  await pipeline(Readable.from(text), createWriteStream(path)).catch((error: unknown) => {
    throw fileError(error, path);
  });
  terminal.err(`wrote ${path}\n`);
  return EXIT_OK;
}
