/** One session for each length bucket, loaded when its first batch comes; all of them share the weights' bytes. */
import type { Session } from "../interface/runtime.ts";

/** The sessions of one data set's buckets. */
export interface BucketSessions {
  at(bucket: number): Promise<Session>;
  /** Closes what was loaded; idempotent. */
  close(): Promise<void>;
}

/** load: builds and loads the session of one bucket. */
export function createBucketSessions(load: (bucket: number) => Promise<Session>): BucketSessions {
  const sessions = new Map<number, Promise<Session>>();
  return {
    at: (bucket) => {
      let session = sessions.get(bucket);
      if (!session) {
        session = load(bucket);
        sessions.set(bucket, session);
      }
      return session;
    },
    close: async () => {
      const loaded = await Promise.allSettled(sessions.values());
      await Promise.all(loaded.map((one) => (one.status === "fulfilled" ? one.value.close() : undefined)));
    },
  };
}
