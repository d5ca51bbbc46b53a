/** `weft egress export`: the record of everything that left a peer, for other programs. */
import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { dataDirectoryLayout } from "../../../node/data-directory/layout.ts";
import { checkedRecords, egressCsv, egressJson } from "../../../node/privacy/egress-summary.ts";
import { fileError } from "../../../node/system/files/atomic-file.ts";
import { egressLines } from "../../../node/system/files/egress-file.ts";
import { dataDirectory } from "../../data-directory.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export async function run(
  options: { readonly dataDir?: string; readonly format?: "csv" | "json"; readonly out?: string },
  terminal: Terminal,
): Promise<number> {
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
