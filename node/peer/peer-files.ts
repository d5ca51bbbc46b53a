/** What a running peer has open in its data directory, and the clock and log beside it. */
import type { Signer } from "../../protocol/envelope.ts";
import type { DataDirectory } from "../data-directory/layout.ts";
import { type Life, openLife } from "../data-directory/life.ts";
import { openPeerDirectory } from "../data-directory/open.ts";
import type { Clock } from "../interface/clock.ts";
import { namedClock } from "../interface/event-loop.ts";
import type { Store } from "../interface/store.ts";
import { EgressTally } from "../privacy/egress-tally.ts";
import type { Shutdown } from "../shutdown.ts";
import { openEgressFile } from "../system/files/egress-file.ts";
import { openLogFile } from "../system/files/log-file.ts";
import { EventLoopWatch } from "../system/platform/event-loop-watch.ts";
import { createLogs, type Logs } from "../system/platform/log.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import type { NetworkPeerOptions } from "./network-peer-options.ts";

/** The opened files, and who the peer is by them. */
export interface PeerFiles {
  readonly layout: DataDirectory;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  readonly signer: Signer;
  readonly store: Store;
  readonly life: Life;
  readonly ledger: EgressTally;
  readonly clock: Clock;
  /** For each part of the peer. */
  readonly logs: Logs;
  /** Begun once the peer runs: its start reads whole models, and nobody waits for it yet. */
  readonly loop: EventLoopWatch;
}

/** Open them; `shutdown` closes them.  Throws: DATA_LOCKED, KEY_FILE, STORE_FAILED, EGRESS_LEDGER, DISK_FULL, DATA_DIRECTORY. */
export async function openPeerFiles(
  { dataDirectory, lockWaitMs = 0, logLevel, logModules, keepsLog = false, onEvent }: NetworkPeerOptions,
  shutdown: Shutdown,
): Promise<PeerFiles> {
  const { seed, signer, directory } = await openPeerDirectory(dataDirectory, { key: "make", waitMs: lockWaitMs });
  shutdown.add(() => directory.close());
  const clock = createSystemClock();
  const file = keepsLog ? await openLogFile(directory.layout.logs) : undefined;
  shutdown.add(async () => file?.close());
  const logs = createLogs({
    ...{ level: logLevel, modules: logModules, fields: { self: signer.peer } },
    ...(file && { keep: (line) => file.write(line) }),
  });
  const { logger } = logs;
  const loop = new EventLoopWatch({ logger, onReport: (report) => onEvent({ type: "loop", report }) });
  shutdown.add(async () => loop.stop());
  const store = await directory.store();
  const life = await openLife(directory.layout, store);
  shutdown.add(() => life.close());
  const ledger = new EgressTally(
    await openEgressFile(
      { clock: namedClock(clock, loop, "timer of the egress ledger"), logger: logs.of("files") },
      { path: directory.layout.egress },
    ),
  );
  shutdown.add(() => ledger.close());
  return { layout: directory.layout, seed, signer, store, life, ledger, clock, logs, loop };
}
