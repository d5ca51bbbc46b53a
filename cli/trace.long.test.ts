/** The rounds of two peers as a collector of OpenTelemetry gets them: one trace for each round, and links that lead somewhere. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { watchWeft } from "./process.suite.ts";

interface Told {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

it("two peers of a testnet tell of each round in one trace, and of whom they took in", async () => {
  const spans: Told[] = [];
  const instances = new Set<string>();
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    for (const { resource, scopeSpans } of body.resourceSpans) {
      instances.add(JSON.stringify(resource.attributes));
      for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = mkdtempSync(join(tmpdir(), "weft-trace-"));
  try {
    const { port } = server.address() as AddressInfo;
    const words = ["testnet", "--peers", "2", "--rounds", "3", "--local-steps", "3", "--without-central"];
    const testnet = watchWeft([...words, "--report", join(folder, "report.html")], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
    });
    expect(await testnet.ended, testnet.text.err).toBe(0);
    expect(instances.size).toBe(2);
    const rounds = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
    expect(rounds).toHaveLength(6);
    expect(new Set(rounds.map(({ traceId }) => traceId)).size).toBe(3);
    for (const round of rounds) {
      const phases = spans.filter(
        ({ parentSpanId, traceId }) => parentSpanId === round.spanId && traceId === round.traceId,
      );
      for (const name of ["local steps", "publish", "collect", "aggregate", "evaluate"])
        expect(phases.map((phase) => phase.name)).toContain(name);
    }
    const links = rounds.flatMap((round) => round.links);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links)
      expect(rounds.some(({ traceId, spanId }) => traceId === link.traceId && spanId === link.spanId)).toBe(true);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
