/** Spans as a collector of OpenTelemetry gets them: a real one of HTTP, on this machine. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Span } from "../../interface/tracing.ts";
import { createLogger } from "../platform/log.ts";
import { createOtlpSender, randomSpanId, WAITING_SPANS_MAX } from "./otlp-sender.ts";

let server: Server;
let status = 200;
const got: { readonly path: string | undefined; readonly key: unknown; readonly body: unknown }[] = [];
beforeEach(async () => {
  got.length = 0;
  status = 200;
  server = createServer(async (request, response) => {
    const body: unknown = JSON.parse(await text(request));
    got.push({ path: request.url, key: request.headers["x-key"], body });
    response.writeHead(status).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const SPAN: Span = {
  ...{ traceId: "0".repeat(31).concat("1"), spanId: randomSpanId(), name: "round 1", startMs: 1.5, endMs: 2 },
  ...{ attributes: { "weft.round": 1, "weft.lambda": 0.5, "weft.peer": "alice" }, events: [], links: [] },
};
const senderTo = (url: string) =>
  createOtlpSender(
    { url, headers: { "x-key": "k" }, service: "weft", version: "1.0.0" },
    { instance: "alice", logger: createLogger({ level: "silent" }) },
  );
const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;

it("come as OTLP in JSON, with the headers that were given", async () => {
  const sender = senderTo(address());
  sender.send([SPAN]);
  await sender.close();
  expect(got).toMatchObject([{ path: "/v1/traces", key: "k" }]);
  expect(got[0]!.body).toMatchObject({
    resourceSpans: [
      {
        resource: { attributes: expect.arrayContaining([{ key: "service.name", value: { stringValue: "weft" } }]) },
        scopeSpans: [
          {
            spans: [
              {
                ...{ traceId: SPAN.traceId, spanId: SPAN.spanId, name: "round 1", kind: 1 },
                ...{ startTimeUnixNano: "1500000", endTimeUnixNano: "2000000" },
                attributes: [
                  { key: "weft.round", value: { intValue: "1" } },
                  { key: "weft.lambda", value: { doubleValue: 0.5 } },
                  { key: "weft.peer", value: { stringValue: "alice" } },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
});

it("are kept for a collector that refuses them, within bounds, and hold nothing up", async () => {
  const sender = senderTo(address());
  status = 503;
  sender.send(Array.from({ length: 2 * WAITING_SPANS_MAX }, () => SPAN));
  await sender.close();
  status = 200;
  sender.send([SPAN]);
  await sender.close();
  const counts = got.map(({ body }) => JSON.stringify(body).split('"spanId"').length - 1);
  expect(counts).toEqual([WAITING_SPANS_MAX, WAITING_SPANS_MAX]);
});

it("that nobody takes are given up", async () => {
  const sender = senderTo("http://127.0.0.1:9/v1/traces");
  sender.send([SPAN]);
  await sender.close();
  expect(got).toEqual([]);
});
