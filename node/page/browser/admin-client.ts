/** Asking the admin interface from which this page came. */
import type { PeerNotice } from "./answers.ts";

/** What it said when it refused. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Longer than any answer of what lives: a process that stands still answers nobody. */
const TIMEOUT_MS = 10_000;
const KEPT_AS = "weft-token";
/** Where a browser keeps nothing for pages, a token lives as long as the page. */
let keptHere: string | undefined;

/** Whether a text has the form of a token. */
export const isToken = (text: string): boolean => /^[\w-]{43}$/.test(text);

/** The token that the address of the page carries behind its #, which is never sent; it is taken out and kept for this tab. */
export function tokenOfPage(): string | undefined {
  const given = /^#([\w-]{43})$/.exec(location.hash)?.[1];
  if (given !== undefined) {
    keepToken(given);
    history.replaceState(null, "", location.pathname);
  }
  if (keptHere !== undefined) return keptHere;
  try {
    return sessionStorage.getItem(KEPT_AS) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keep a token that a person has entered. */
export function keepToken(token: string): void {
  keptHere = token;
  try {
    sessionStorage.setItem(KEPT_AS, token);
  } catch {
    // It is asked for again after a reload.
  }
}

/** The answer to a question.  Throws: Refusal; TypeError where nobody answers. */
export async function ask<Answer>(path: string, token: string, method: "GET" | "POST" = "GET"): Promise<Answer> {
  const response = await fetch(path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json()) as Answer & { readonly error?: { readonly message: string } };
  if (response.ok) return answer;
  throw new Refusal(response.status, answer.error?.message ?? response.statusText);
}

/** Read events until the connection ends or the signal is aborted.  Throws: Refusal; what fetch throws. */
export async function readEvents(
  token: string,
  { after, signal, onEvent }: { after: number; signal: AbortSignal; onEvent: (event: PeerNotice) => void },
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, ...(after > 0 && { "last-event-id": String(after) }) };
  const response = await fetch("v1/events", { headers, signal });
  if (!response.ok || response.body === null) throw new Refusal(response.status, response.statusText);
  const decoder = new TextDecoder();
  let rest = "";
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const messages = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = messages.pop() ?? "";
    for (const message of messages) {
      const event = eventIn(message);
      if (event !== undefined) onEvent(event);
    }
  }
}

function eventIn(message: string): PeerNotice | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(message)?.[1];
  const [data, type] = [field("data"), field("event")];
  if (data === undefined || type === undefined) return undefined;
  return { at: new Date().toISOString(), ...JSON.parse(data), type, number: Number(field("id") ?? 0) };
}
