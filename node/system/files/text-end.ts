/** The end of a file as text. */
import { open } from "node:fs/promises";
import { fileError, systemCode } from "./atomic-file.ts";

/** The text of a file, of a longer one its end; undefined where it is not there.  Throws: NodeError DATA_DIRECTORY. */
export async function readTextEnd(path: string, bytesMax: number): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(Math.min(size, bytesMax));
      await file.read(bytes, 0, bytes.length, size - bytes.length);
      return new TextDecoder().decode(bytes);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, path);
  }
}
