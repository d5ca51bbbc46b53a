/** The invite that a command is given: as its argument, in a file, or on standard input, which other users do not see. */
import { createReadStream } from "node:fs";
import { NodeError } from "../node/index.ts";

/** Characters that are read of a file or of standard input: far more than an invite has, with blanks around it. */
const CHARACTERS_MAX = 65_536;

/** The text of the invite.  Throws: NodeError CONFIG_INVALID where none or two are given, or the file cannot be read. */
export async function inviteGiven(
  { inviteFile }: { readonly inviteFile?: string },
  argument: string | undefined,
  stdin: AsyncIterable<Buffer | string> = process.stdin,
): Promise<string> {
  if ((inviteFile === undefined) === (argument === undefined)) {
    const what = inviteFile === undefined ? "no invite was given" : "two invites were given";
    throw new NodeError("CONFIG_INVALID", `${what}; give --invite-file FILE, or - to read it from standard input`);
  }
  if (inviteFile === undefined) {
    return argument === "-" ? await shortText(stdin, "standard input") : (argument ?? "").trim();
  }
  try {
    return await shortText(createReadStream(inviteFile), inviteFile);
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new NodeError(
      "CONFIG_INVALID",
      `${inviteFile} cannot be read (${code ?? "unknown error"}); name the file with the invite`,
      {},
      { cause },
    );
  }
}

/** Whatever it is, a device that never ends too, no more of it is read than an invite could have. */
async function shortText(pieces: AsyncIterable<Buffer | string>, name: string): Promise<string> {
  let text = "";
  for await (const piece of pieces) {
    text += piece.toString();
    if (text.length <= CHARACTERS_MAX) continue;
    throw new NodeError(
      "CONFIG_INVALID",
      `${name} is too long for an invite; give a file with one line of text weft1…`,
    );
  }
  if (text.trim() !== "") return text.trim();
  throw new NodeError("CONFIG_INVALID", `${name} is empty; ask whoever sent the invite for the text weft1…`);
}
