/** Lines of a file that grows. */
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileError, systemCode } from "../../node/index.ts";

/** How often is looked for more. */
const LOOK_MS = 250;
/** Read at once; a longer file is read from its end. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Tell the newest lines of a file, and with `follow` each that comes until the signal is aborted. A file that is not there
 * has no lines yet.  Throws: NodeError DATA_DIRECTORY.
 */
export async function followFile(
  path: string,
  {
    lines,
    follow,
    signal,
    onLine,
  }: {
    readonly lines: number;
    readonly follow: boolean;
    readonly signal: AbortSignal;
    readonly onLine: (line: string) => void;
  },
): Promise<void> {
  const decoder = new TextDecoder();
  const first = await readFrom(path, undefined);
  const whole = decoder.decode(first.bytes, { stream: true }).split("\n");
  let rest = whole.pop() ?? "";
  let at = first.end;
  if (lines > 0) for (const line of whole.slice(-lines)) onLine(line);
  while (follow && !signal.aborted) {
    const more = await readFrom(path, at);
    at = more.end;
    const parts = (rest + decoder.decode(more.bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) onLine(line);
    if (more.bytes.length < CHUNK_BYTES) await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  if (!follow && rest !== "" && lines > 0) onLine(rest);
}

/** Bytes from a place on, or the last ones where there is none. */
async function readFrom(
  path: string,
  from: number | undefined,
): Promise<{ readonly bytes: Uint8Array; readonly end: number }> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const start = from ?? Math.max(0, size - CHUNK_BYTES);
      const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES, start);
      return { bytes: buffer.subarray(0, bytesRead), end: start + bytesRead };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return { bytes: new Uint8Array(), end: from ?? 0 };
    throw fileError(cause, path);
  }
}
