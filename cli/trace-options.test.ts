import { describe, expect, it } from "vitest";
import { TRACE, traceTarget } from "./trace-options.ts";

const targetOf = (environment: Record<string, string>, trace?: string) => {
  let said = "";
  const target = traceTarget(trace === undefined ? {} : { trace }, { environment, err: (text) => void (said += text) });
  return { target, said };
};

describe("who is told of rounds", () => {
  it("is nobody where nothing is said", () => {
    expect(targetOf({})).toEqual({ target: undefined, said: "" });
    expect(targetOf({ OTEL_SERVICE_NAME: "x", OTEL_EXPORTER_OTLP_ENDPOINT: "" }).target).toBeUndefined();
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318" }, "http://localhost:4318/v1/traces"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://otel.example/in/" }, "https://otel.example/in/v1/traces"],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://localhost:1/spans" }, "http://localhost:1/spans"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", OTEL_SDK_DISABLED: "true" }, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", OTEL_TRACES_EXPORTER: "none" }, undefined],
  ])("is as OpenTelemetry has it: %j", (environment, url) => {
    const { target, said } = targetOf(environment);
    expect(target?.url).toBe(url);
    expect(said).toBe(url === undefined ? "" : `rounds are told to ${url} as spans\n`);
  });

  it("is the flag's before the environment's, with the headers and the name of the environment", () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc, x-scope = a",
      OTEL_SERVICE_NAME: "ward 7",
    };
    const { target } = targetOf(environment, String(TRACE.parse?.("http://127.0.0.1:9999")));
    expect(target).toMatchObject({
      url: "http://127.0.0.1:9999/v1/traces",
      headers: { authorization: "Bearer abc", "x-scope": "a" },
      service: "ward 7",
    });
  });

  it.each(["localhost:4318", "ftp://localhost", "http://user:secret@localhost:4318", "nonsense", ""])(
    "cannot be at %j",
    (text) => {
      expect(() => TRACE.parse?.(text)).toThrow(/expected an address such as http:\/\/localhost:4318/);
    },
  );

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "nonsense" }, /OTEL_EXPORTER_OTLP_ENDPOINT .*correct it/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, /weft sends http\/json/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a", OTEL_EXPORTER_OTLP_HEADERS: "hunter2" }, /^(?!.*hunter2).*name=value/],
  ])("is refused in a line without secrets: %j", (environment, message) => {
    expect(() => targetOf(environment)).toThrow(message);
  });
});
