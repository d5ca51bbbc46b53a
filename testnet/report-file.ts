/** The file that the report goes to: tried before the run, written whole after it. */
import { constants, type Stats } from "node:fs";
import { access, lstat, open, rm, writeFile } from "node:fs/promises";
import { fileError, NodeError, systemCode, temporaryPath, writeFileAtomic } from "../node/index.ts";

/**
 * Better before the run than after it: whether the report can be written. Leaves nothing behind, and what is there as
 * it is.  Throws: NodeError DATA_DIRECTORY, DISK_FULL.
 */
export async function refuseUnwritable(file: string): Promise<void> {
  try {
    const there = await whatIsAt(file);
    if (isReplaceable(there)) {
      if (there !== undefined) await access(file, constants.W_OK);
      const temporary = temporaryPath(file);
      await writeFile(temporary, "");
      await rm(temporary);
    } else {
      await (await open(file, "r+")).close();
    }
  } catch (cause) {
    const why = fileError(cause, file);
    if (!(why instanceof NodeError) || why.code === "DISK_FULL") throw why;
    const text = `cannot write the report ${file}`;
    throw new NodeError("DATA_DIRECTORY", text, { ...why.facts, problem: "report-unwritable" }, { cause });
  }
}

/** Write the report whole, or leave what was there.  Throws: NodeError DATA_DIRECTORY, DISK_FULL. */
export async function writeReport(file: string, text: string): Promise<void> {
  if (isReplaceable(await whatIsAt(file))) return writeFileAtomic(file, new TextEncoder().encode(text));
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw fileError(cause, file);
  }
}

/** A new file may take the place of a file or of nothing, but not that of a device, a pipe or a link. */
function isReplaceable(there: Stats | undefined): boolean {
  return there === undefined || there.isFile();
}

async function whatIsAt(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
