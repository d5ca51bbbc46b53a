/** Asking the admin interface of a peer that runs on this machine. */
import { request } from "node:http";
import { NODE_ERROR_CODES, NodeError, type NodeErrorCode, PROBLEMS } from "../../errors.ts";
import type { AdminAddress } from "../../interface/admin.ts";

/** Where an interface is, and what it wants to see. */
export interface AdminClientOptions {
  readonly address: AdminAddress;
  readonly token: string;
  readonly timeoutMs?: number;
}

/** Longer than any answer of a peer that lives. */
const TIMEOUT_MS = 10_000;
/** Larger than any answer. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** The answer to one question.  body: sent along as JSON.  Throws: NodeError with the code of what the peer met; PEER_FAILED where nobody answers. */
export async function askAdmin(
  path: string,
  { address, token, timeoutMs = TIMEOUT_MS }: AdminClientOptions,
  method: "GET" | "POST" = "GET",
  body?: unknown,
): Promise<unknown> {
  const where = address.kind === "socket" ? { socketPath: address.path } : { host: address.host, port: address.port };
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(sent !== undefined && { "content-type": "application/json" }),
    };
    const asking = request({ ...where, path, method, headers, timeout: timeoutMs }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES_MAX) answer.destroy(new Error("the answer is too long"));
      });
      answer.once("error", reject).once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asking.once("timeout", () => asking.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    asking.once("error", reject).end(sent);
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NodeError("PEER_FAILED", `the peer's admin interface does not answer: ${reason}`, {}, { cause });
  });
  const answer = jsonAnswer(text);
  if (status < 400 && answer !== undefined) return answer;
  const said = errorIn(answer);
  if (said === undefined) {
    const what =
      "what answers there is no peer's admin interface; start the peer again, which writes down where it listens";
    throw new NodeError("PEER_FAILED", what, { status });
  }
  const { code, message, problem } = said;
  const known = NODE_ERROR_CODES.find((one): one is NodeErrorCode => one === code);
  const which = PROBLEMS.find((one) => one === problem);
  throw new NodeError(known ?? "PEER_FAILED", message, { code, ...(which !== undefined && { problem: which }) });
}

/** undefined where it is no JSON: another program may have the port by now. */
function jsonAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error of an answer of this interface; undefined where it is none. */
function errorIn(answer: unknown): Readonly<{ code: unknown; message: string; problem: unknown }> | undefined {
  const { error } = (answer ?? {}) as { readonly error?: unknown };
  if (typeof error !== "object" || error === null) return undefined;
  const { code, message, problem } = error as Readonly<Record<string, unknown>>;
  return typeof message === "string" ? { code, message, problem } : undefined;
}
