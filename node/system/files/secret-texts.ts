/** What a secret in a file looks like where somebody has printed it, so that it can be looked for and taken out. */
import { readIfThere } from "./atomic-file.ts";

/** The contents of these files as text, in hexadecimal and in base64; nothing of files that are not there.  Throws: DATA_DIRECTORY. */
export async function readSecretsOf(paths: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const path of paths) {
    const bytes = await readIfThere(path);
    if (bytes === undefined || bytes.length === 0) continue;
    const buffer = Buffer.from(bytes);
    const forms = [
      buffer.toString("hex"),
      buffer.toString("base64"),
      buffer.toString("base64url"),
      buffer.toString("utf8").trim(),
    ];
    texts.push(...forms, (forms[0] ?? "").toUpperCase());
  }
  return texts;
}
