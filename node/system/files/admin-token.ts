/** What whoever uses a peer's admin interface has to show: a secret in a file that its owner alone reads. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { NodeError } from "../../errors.ts";
import { fileError, systemCode, writeFileAtomic } from "./atomic-file.ts";
import { refuseLooseMode } from "./key-file.ts";

/** As many as nobody guesses. */
const TOKEN_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** The token in the file, made on first use (mode 0600).  Throws: KEY_FILE when others may read it or it holds none; DISK_FULL, DATA_DIRECTORY. */
export async function readOrCreateToken(path: string): Promise<string> {
  const existing = await readToken(path);
  if (existing !== undefined) return existing;
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  await writeFileAtomic(path, new TextEncoder().encode(`${token}\n`), { mode: 0o600 });
  return token;
}

/** The token in the file; undefined where there is no file.  Throws: as readOrCreateToken. */
export async function readToken(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, path);
  }
  await refuseLooseMode(path, "600");
  const token = text.trim();
  if (TOKEN.test(token)) return token;
  throw new NodeError("KEY_FILE", `${path} holds no token of an admin interface; remove it, and a new one is made`, {
    path,
  });
}
