/** Where a peer's rounds are told to as spans: by the flag, or by the variables that every program with OpenTelemetry reads. */
import { InvalidArgumentError } from "commander";
import { NodeError, type TraceTarget } from "../node/index.ts";
import type { OptionRow } from "./command-row.ts";
import { packageVersion } from "./package-folder.ts";
import type { Terminal } from "./terminal.ts";

/** Where spans go under the address of a collector. */
const TRACES = "/v1/traces";

/** The flag. */
export const TRACE: OptionRow = {
  flags: "--trace <url>",
  text: "tell a collector of OpenTelemetry of each round as spans, such as http://localhost:4318 (OTLP over HTTP, JSON)",
  parse: traceUrl,
  otherwise: "OTEL_EXPORTER_OTLP_ENDPOINT, and to nobody where that is not set either",
};

/** The whole address of what takes spans.  Throws: InvalidArgumentError. */
function traceUrl(text: string): string {
  const url = addressOf(text);
  if (url === undefined) throw new InvalidArgumentError("expected an address such as http://localhost:4318");
  return url;
}

function addressOf(text: string): string | undefined {
  const url = URL.parse(text);
  // What stands in an address stands in logs; OTEL_EXPORTER_OTLP_HEADERS is for secrets.
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  if (url.pathname === "/") url.pathname = TRACES;
  return url.href;
}

/**
 * Who is told; undefined: nobody. It is said in a line.
 * Throws: NodeError CONFIG_INVALID for variables that are set and cannot be followed.
 */
export function traceTarget(
  { trace }: { readonly trace?: string },
  { environment, err }: Pick<Terminal, "environment" | "err">,
): TraceTarget | undefined {
  const url = trace ?? variableUrl(environment);
  if (url === undefined) return undefined;
  err(`rounds are told to ${url} as spans\n`);
  const headers = headersOf(environment);
  return {
    ...{ url, version: packageVersion(), service: environment.OTEL_SERVICE_NAME || "weft" },
    ...(headers && { headers }),
  };
}

function variableUrl(environment: Terminal["environment"]): string | undefined {
  const { OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER } = environment;
  if (OTEL_SDK_DISABLED?.toLowerCase() === "true" || OTEL_TRACES_EXPORTER === "none") return undefined;
  const whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const name = environment[whole] ? whole : "OTEL_EXPORTER_OTLP_ENDPOINT";
  const text = environment[name];
  if (!text) return undefined;
  const url = addressOf(name === whole ? text : `${text.replace(/\/+$/, "")}${TRACES}`);
  const protocol = environment.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || environment.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (protocol === "grpc")
    throw refused(
      "OTEL_EXPORTER_OTLP_PROTOCOL",
      "weft sends http/json; give --trace with the collector's HTTP address",
    );
  if (url !== undefined) return url;
  throw refused(name, "it is no address such as http://localhost:4318; correct it, or set OTEL_TRACES_EXPORTER=none");
}

/** OTEL_EXPORTER_OTLP_HEADERS: name=value, with commas between; values are percent-encoded. */
function headersOf(environment: Terminal["environment"]): Readonly<Record<string, string>> | undefined {
  const name = "OTEL_EXPORTER_OTLP_HEADERS";
  const text = environment[name];
  if (!text) return undefined;
  const pairs = text.split(",").map((pair) => /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair));
  if (pairs.includes(null)) throw refused(name, "write name=value, with commas between");
  try {
    return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", decodeURIComponent(pair?.[2] ?? "")]));
  } catch {
    throw refused(name, "a value is not percent-encoded; write name=value, with commas between");
  }
}

/** The value may be a secret, and is not shown. */
function refused(name: string, todo: string): NodeError {
  return new NodeError("CONFIG_INVALID", `${name} in the environment cannot be followed: ${todo}`, { name });
}
