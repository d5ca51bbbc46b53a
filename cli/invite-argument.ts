/** The invite that a command is given: as its argument, in a file, or on standard input, which other users do not see. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { NodeError } from "../node/index.ts";

/** The text of the invite.  Throws: NodeError CONFIG_INVALID where none or two are given, or the file cannot be read. */
export async function inviteGiven(
  { inviteFile }: { readonly inviteFile?: string },
  argument: string | undefined,
  stdin: NodeJS.ReadableStream = process.stdin,
): Promise<string> {
  if ((inviteFile === undefined) === (argument === undefined)) {
    const what = inviteFile === undefined ? "no invite was given" : "two invites were given";
    throw new NodeError("CONFIG_INVALID", `${what}; give --invite-file FILE, or - to read it from standard input`);
  }
  if (inviteFile === undefined) return (argument === "-" ? await text(stdin) : (argument ?? "")).trim();
  try {
    return (await readFile(inviteFile, "utf8")).trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NodeError(
      "CONFIG_INVALID",
      `${inviteFile} cannot be read (${code ?? "unknown error"}); name the file with the invite`,
      {},
      { cause },
    );
  }
}
