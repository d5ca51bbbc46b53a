/**
 * One session for all simulated peers: their graphs differ in nothing but the adapter that is fed, so that a graph that
 * was loaded before is used again.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Runtime, Session } from "../../node/interface/runtime.ts";

/** A runtime that loads each graph once. */
export interface SharedSessions {
  /** A runtime whose sessions stay open, whoever closes them, until `close`. All its models refer to one set of weights. */
  readonly runtime: Runtime;
  /** Sessions that are loaded. */
  count(): number;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Throws, on loading: what the runtime throws; a graph that was refused is loaded again when it is asked for again. */
export function shareSessions(runtime: Runtime): SharedSessions {
  const sessions = new Map<string, Promise<Session>>();
  return {
    runtime: {
      ...runtime,
      load: async (model, options) => {
        const key = `${bytesToHex(sha256(model))}:${options.threads ?? "any"}`;
        let loading = sessions.get(key);
        if (!loading) {
          loading = runtime.load(model, options);
          sessions.set(key, loading);
          loading.catch(() => sessions.delete(key));
        }
        const session = await loading;
        return { run: (feeds, outputs) => session.run(feeds, outputs), close: async () => undefined };
      },
    },
    count: () => sessions.size,
    close: async () => {
      const loaded = await Promise.allSettled(sessions.values());
      sessions.clear();
      await Promise.all(loaded.map((one) => (one.status === "fulfilled" ? one.value.close() : undefined)));
    },
  };
}
