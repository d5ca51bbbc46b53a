/**
 * Where the base model of a network is on this machine, and the wait for it where it is not: a peer whose network went on under
 * another model observes until its files have come.
 */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { ModelNeed } from "../interface/peer-event.ts";
import { modelFilesStamp } from "../system/files/model-files.ts";
import { checkModel, modelNeeds } from "./model-check.ts";
import { ModelDigests } from "./model-digests.ts";

/** Where a model was found, or what it lacks where it should be. */
export interface ModelSearch {
  /** The first of the directories that has the model; else the last one, where it should be put. */
  readonly directory: string;
  /** What is missing or different there; none where it is the model. */
  readonly needs: readonly ModelNeed[];
}

/** Look for the model of a network in these directories, in turn. Files that cannot be read are not the model. */
export function searchModel(
  manifest: NetworkManifest,
  directories: readonly [string, ...string[]],
  digests: ModelDigests = new ModelDigests(),
): ModelSearch {
  let last: ModelSearch = { directory: directories[0], needs: [] };
  for (const directory of directories) {
    last = { directory, needs: needsOf(manifest, directory, digests) };
    if (last.needs.length === 0) return last;
  }
  return last;
}

function needsOf(manifest: NetworkManifest, directory: string, digests: ModelDigests): readonly ModelNeed[] {
  try {
    return modelNeeds(checkModel(manifest, directory, digests));
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    const { weights } = manifest.model.digest;
    return [{ field: "model.digest.weights", file: "model*.safetensors", expected: weights, found: error.message }];
  }
}

/** Pause between two looks; files that change from one to the next are still being written. */
export const LOOK_INTERVAL_MS = 5_000;
/** Looks after which the person is told again what is missing: ten minutes. */
const LOOKS_PER_REMINDER = 120;

/**
 * Look until one of the directories has the model. Files are read only when they have changed since they were read last, and
 * not while they change.
 * onReminder: told now and then while it is missing.
 */
export async function waitForModel(
  { clock, digests = new ModelDigests() }: { readonly clock: Clock; readonly digests?: ModelDigests },
  manifest: NetworkManifest,
  directories: readonly [string, ...string[]],
  { onReminder, signal }: { readonly onReminder: (search: ModelSearch) => void; readonly signal: AbortSignal },
): Promise<void> {
  const stampNow = (): string => directories.map(modelFilesStamp).join("\n");
  let search = searchModel(manifest, directories, digests);
  let read = stampNow();
  let seen = read;
  for (let look = 1; search.needs.length > 0; look++) {
    if (!(await pause(clock, signal))) return;
    const stamp = stampNow();
    if (stamp === seen && stamp !== read) {
      read = stamp;
      search = searchModel(manifest, directories, digests);
    }
    seen = stamp;
    if (look % LOOKS_PER_REMINDER === 0 && search.needs.length > 0) onReminder(search);
  }
}

/** false: the signal came first. */
function pause(clock: Clock, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isOver: boolean): void => {
      signal.removeEventListener("abort", abort);
      cancel();
      resolve(isOver);
    };
    const abort = (): void => end(false);
    const cancel = clock.after(LOOK_INTERVAL_MS, () => end(true));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
