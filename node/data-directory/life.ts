/** The life of a data directory: whether its files may be older than what their key has signed since. */
import type { Store } from "../interface/store.ts";
import { fileExists } from "../system/files/atomic-file.ts";
import { beginLife, continuityOf } from "../system/files/life-mark.ts";
import type { DataDirectory } from "./layout.ts";

/** One use of a data directory. */
export interface Life {
  /** Whether the files are a copy, come from a backup, or have lost their store. */
  readonly mayBeOld: boolean;
  /** They are the newest ones: what comes after them is known as their successor. Idempotent.  Throws: nothing. */
  begin(): Promise<void>;
  /** Resolves when what has begun is on disk; where it failed, the marks of before hold.  Throws: nothing. */
  close(): Promise<void>;
}

/** Look at the files; where nothing speaks against it, their next life begins.  Throws: NodeError STORE_FAILED, DISK_FULL, DATA_DIRECTORY. */
export async function openLife(
  { life, restoredKey }: Pick<DataDirectory, "life" | "restoredKey">,
  store: Store,
): Promise<Life> {
  const continuity = await continuityOf(life, store);
  const mayBeOld = continuity === "copied" || (continuity === "unknown" && (await fileExists(restoredKey)));
  let begun: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    begun ??= beginLife(life, store);
    return begun.catch(() => undefined);
  };
  if (!mayBeOld) {
    await begin();
    await begun;
  }
  return { mayBeOld, begin, close: async () => await begun?.catch(() => undefined) };
}
