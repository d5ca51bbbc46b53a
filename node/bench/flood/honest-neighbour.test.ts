import { expect, test } from "vitest";
import { EXCHANGE_DEFAULTS } from "../../exchange/exchange-limits.ts";
import { PAUSE_MS } from "./honest-neighbour.ts";

test("an honest neighbour asks no faster than it may for ever, so that only a flood has it turned away", () => {
  const { perPeriod, periodMs } = EXCHANGE_DEFAULTS.headsRates;
  expect(PAUSE_MS).toBeGreaterThan(periodMs / perPeriod);
});
