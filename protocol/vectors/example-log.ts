/** The roster of the example's genesis, kept ready: making one costs more than judging most messages. */
import { RosterLog } from "../membership/roster-log.ts";
import type { VerifySignature } from "../membership/signatures.ts";
import { EXAMPLE_GENESIS } from "./example-roster.ts";

const ready = new WeakMap<VerifySignature, RosterLog>();

/** What `judge` says of a roster that holds the genesis and nothing else; one that took an entry is used once. */
export function withExampleLog<T>(verify: VerifySignature, judge: (log: RosterLog) => T): T {
  const log = ready.get(verify) ?? new RosterLog(EXAMPLE_GENESIS, { verify });
  const state = log.state();
  try {
    return judge(log);
  } finally {
    if (log.state() === state && log.missing().length === 0) ready.set(verify, log);
    else ready.delete(verify);
  }
}
