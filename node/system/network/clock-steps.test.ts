/** Connections while somebody sets the machine's clock. */
import { afterEach, expect, test, vi } from "vitest";
import type { Transport } from "../../interface/transport.ts";
import { createLibp2pTransport } from "./libp2p.ts";
import { plausibleRoundTripMs } from "./steady-timeout.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const PING_MS = 400;
const [HOUR_MS, YEAR_MS] = [3_600_000, 365 * 86_400_000];
const started: Transport[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(started.splice(0).map((transport) => transport.stop()));
});

async function up(seed: number): Promise<Transport> {
  const transport = await createLibp2pTransport(
    { logger: silentLogger },
    {
      seed: new Uint8Array(32).fill(seed),
      listen: ["/ip4/127.0.0.1/tcp/0"],
      connectionsMax: 8,
      pingMs: PING_MS,
      ...SUITE_LIMITS,
    },
  );
  started.push(transport);
  await transport.start();
  return transport;
}

test("a clock that is set by hours and years, forwards and backwards, ends no connection", async () => {
  const real = Date.now;
  let offMs = 0;
  vi.spyOn(Date, "now").mockImplementation(() => real() + offMs);
  const [a, b] = [await up(1), await up(2)];
  let lost = 0;
  for (const one of [a, b]) one.onDisconnect(() => lost++);
  await a.dial(b.addresses()[0]!, patient());
  for (const step of [-HOUR_MS, YEAR_MS, -YEAR_MS]) {
    offMs = step;
    // Two pings at least have come to their end under the new time.
    await new Promise((resolve) => setTimeout(resolve, 2.5 * PING_MS));
    await until(() => lost > 0 || a.links()[0]?.roundTripMs !== undefined);
  }
  expect([lost, a.connected(), b.connected()]).toEqual([0, [b.peer], [a.peer]]);
});

test("a round trip during which the clock was set is none", () => {
  expect([undefined, -1, -HOUR_MS, HOUR_MS, 0, 250].map(plausibleRoundTripMs)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    0,
    250,
  ]);
});
