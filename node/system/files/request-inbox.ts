/**
 * A folder through which another process asks the one that has the data directory open to do something: a request is a
 * file, its answer another one beside it. Both appear whole or not at all; the folder is closed to others (0700), and so
 * whoever can write there could read the key as well.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Clock } from "../../interface/clock.ts";
import type { Logger } from "../../interface/logger.ts";
import { ensureFolder, fileError, systemCode, writeFileAtomic } from "./atomic-file.ts";

const REQUEST = ".request.json";
const ANSWER = ".answer.json";
/** How often the folder is looked at. */
const LOOK_MS = 200;
/** Requests that are answered in one look; the others wait for the next. */
const REQUESTS_MAX = 16;
/** Longest request: a statement, or a manifest's text. */
export const REQUEST_BYTES_MAX = 4 * 2 ** 20;
/** Files in the folder: what is beyond, and is no request, was left by processes that nobody waits for. */
export const INBOX_FILES_MAX = 64;

/** What the asking process gets back: the answer, or the error in its closed form. */
export type RequestAnswer =
  | { readonly answer: unknown }
  | { readonly error: { readonly code: string; readonly message: string; readonly problem?: string } };

/**
 * Answer requests until stopped. `perform` gets a request's parsed JSON; what it throws is the answer. What was left there
 * when nobody ran is answered first.
 * Throws: NodeError DATA_DIRECTORY, DISK_FULL.
 */
export async function watchRequestInbox(
  folder: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  perform: (request: unknown) => Promise<unknown>,
): Promise<{ stop(): Promise<void> }> {
  await ensureFolder(folder, { mode: 0o700 });
  let isStopped = false;
  let cancel = (): void => {};
  let looking: Promise<void> = Promise.resolve();
  const answer = async (name: string): Promise<void> => {
    const path = join(folder, name);
    const result = await resultOf(path, perform);
    // Gone first: a request that is answered twice would be done twice.
    await rm(path, { force: true });
    const text = JSON.stringify(result);
    await writeFileAtomic(path.slice(0, -REQUEST.length) + ANSWER, new TextEncoder().encode(text), { mode: 0o600 });
  };
  const look = async (): Promise<void> => {
    try {
      const names = (await readdir(folder)).filter((name) => name.endsWith(REQUEST)).sort();
      for (const name of names.slice(0, REQUESTS_MAX)) if (!isStopped) await answer(name);
      await tidy(folder);
    } catch (error) {
      logger.warn("the request inbox cannot be read", { folder, error });
    }
    if (!isStopped) cancel = clock.after(LOOK_MS, () => (looking = look()));
  };
  looking = look();
  return {
    async stop() {
      isStopped = true;
      cancel();
      await looking;
    },
  };
}

/**
 * Ask the process that has the data directory open, and wait for its answer.
 * Throws: NodeError TIMEOUT (nobody answers; the request is taken back), DATA_DIRECTORY, DISK_FULL; the signal's reason.
 */
export async function askThroughRequestInbox(
  folder: string,
  request: unknown,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<RequestAnswer> {
  await ensureFolder(folder, { mode: 0o700 });
  const base = join(folder, randomUUID());
  await writeFileAtomic(base + REQUEST, new TextEncoder().encode(JSON.stringify(request)), { mode: 0o600 });
  const until = performance.now() + timeoutMs;
  try {
    for (;;) {
      signal.throwIfAborted();
      const text = await readIfThere(base + ANSWER);
      if (text !== undefined) return JSON.parse(text) as RequestAnswer;
      if (performance.now() > until) {
        const said = `the running peer did not answer within ${timeoutMs / 1000} s; look at its log, or stop it and try again`;
        throw new NodeError("TIMEOUT", said, { folder });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 4));
    }
  } finally {
    await rm(base + REQUEST, { force: true });
    await rm(base + ANSWER, { force: true });
  }
}

/** Take away the oldest answers that nobody has fetched, where there are too many. */
async function tidy(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith(REQUEST));
  if (names.length <= INBOX_FILES_MAX / 2) return;
  const dated = await Promise.all(
    names.map(async (name) => ({
      name,
      at: await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    })),
  );
  const oldest = dated.sort((a, b) => a.at - b.at).slice(0, -INBOX_FILES_MAX / 2);
  for (const { name } of oldest) await rm(join(folder, name), { force: true });
}

async function resultOf(path: string, perform: (request: unknown) => Promise<unknown>): Promise<RequestAnswer> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > REQUEST_BYTES_MAX) throw new NodeError("NOT_ALLOWED", "the request is too long", { path });
    return { answer: await perform(JSON.parse(bytes.toString("utf8"))) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "PEER_FAILED";
    const problem = error instanceof NodeError ? error.facts.problem : undefined;
    const message = error instanceof Error ? error.message : String(error);
    return { error: { code, message, ...(problem !== undefined && { problem }) } };
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, path);
  }
}
