/** A line typed at a terminal, in answer to a question. */
import { createInterface } from "node:readline/promises";
import { NodeError } from "../node/index.ts";

/** Ctrl-C, Ctrl-D and an abort give it up.  Throws: NodeError CONFIG_INVALID then. */
export async function askLine(
  question: string,
  {
    stdin,
    stderr,
    signal,
  }: { readonly stdin: NodeJS.ReadableStream; readonly stderr: NodeJS.WritableStream; readonly signal: AbortSignal },
): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr, terminal: true });
  const isGivenUp = new AbortController();
  reader.once("SIGINT", () => isGivenUp.abort()).once("close", () => isGivenUp.abort());
  try {
    return await reader.question(question, { signal: AbortSignal.any([signal, isGivenUp.signal]) });
  } catch (cause) {
    if ((cause as Error).name !== "AbortError") throw cause;
    stderr.write("\n");
    throw new NodeError("CONFIG_INVALID", "the questions were given up; nothing was done", {}, { cause });
  } finally {
    reader.close();
  }
}
