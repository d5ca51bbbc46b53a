/** What rebuilding a roster costs: each signature once, and little beside. `npm run bench:roster` times the whole. */
import { expect, it } from "vitest";
import { createSigner, SIGNATURE_BYTES } from "../../protocol/envelope.ts";
import { EXAMPLE_MANIFEST } from "../../protocol/vectors/example-network.ts";
import { rebuildSeconds, rosterHistory } from "./roster.ts";

const SIZE = { members: 400, entries: 2000 };
/** Half of two seconds for 5,000 entries; the other half is for verifying. */
const SECONDS_MAX = SIZE.entries / 5000;

it("rebuilds a roster by verifying each signature once, with a second for 5,000 entries beside that", () => {
  // Signing takes longer than all that is measured here.
  const unsigned = new Uint8Array(SIGNATURE_BYTES).fill(1);
  const admins = [11, 12, 13].map((n) => ({ ...createSigner(new Uint8Array(32).fill(n)), sign: () => unsigned }));
  const history = rosterHistory(EXAMPLE_MANIFEST, { ...SIZE, admins });
  let verified = 0;
  const rebuild = (): number => {
    verified = 0;
    return rebuildSeconds(history, () => {
      verified++;
      return true;
    });
  };
  // The first time is also for compiling, and others may use this machine.
  const seconds = Math.min(...Array.from({ length: 4 }, rebuild));
  expect(verified).toBe(2 * SIZE.entries);
  expect(seconds).toBeLessThan(SECONDS_MAX);
  console.info(`${verified} signatures, and ${seconds.toFixed(2)} s of processor time beside them`);
}, 120_000);
