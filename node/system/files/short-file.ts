/** Files that somebody names and that can only be short: of a device that never ends, or of a film, no more is read than that. */
import { createReadStream } from "node:fs";

/** The bytes of a file, a pipe or a device; undefined where there are more than `bytesMax`.  Throws: what the system says. */
export async function readShortFile(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of createReadStream(path) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The same as text of UTF-8. */
export async function readShortText(path: string, bytesMax: number): Promise<string | undefined> {
  const bytes = await readShortFile(path, bytesMax);
  return bytes && new TextDecoder().decode(bytes);
}
