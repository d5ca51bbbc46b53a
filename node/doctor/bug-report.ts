/**
 * What helps others to find a fault of a peer, without its secrets and its data: versions, settings, status, log, and which
 * files there are. Nothing is read of keys, of the store, of checkpoints, models and data sets; everything that is read passes
 * `redactValue`.
 */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { type FoundFile, filesIn } from "../system/files/file-list.ts";
import { LOG_FILE_BOUNDS, logFiles } from "../system/files/log-file.ts";
import { readSecretsOf } from "../system/files/secret-texts.ts";
import { readTextEnd } from "../system/files/text-end.ts";
import { machineFinding, spaceFinding } from "../system/platform/health.ts";
import { machineNames } from "../system/platform/machine-names.ts";
import { type KnownSecrets, redactValue } from "./redaction.ts";

/** What is said of a peer. */
export interface BugReport {
  readonly schema: "weft-bugreport/1";
  readonly at: string;
  readonly version: string;
  readonly machine: string;
  readonly disk: string;
  /** The files that hold settings and state, as JSON or as text; what is not there is absent. */
  readonly files: Readonly<Record<string, unknown>>;
  /** Names and sizes of all files of the peer. */
  readonly listing: readonly { readonly path: string; readonly bytes: number }[];
  /** Lines of its log, the oldest first. */
  readonly log: readonly unknown[];
  /** What the running peer says of itself; undefined where none runs. */
  readonly running?: unknown;
}

/** Lines of the log that are taken. */
const LOG_LINES_MAX = 5_000;
/** Larger files than these hold no settings. */
const TEXT_BYTES_MAX = 2_000_000;

/** Collect it.  running: what the peer itself answers, where it runs.  Throws: NodeError DATA_DIRECTORY. */
export async function collectBugReport(
  dataDirectory: string,
  { version, at, running }: { readonly version: string; readonly at: string; readonly running?: unknown },
): Promise<BugReport> {
  const layout = dataDirectoryLayout(absolutePath(dataDirectory));
  const secrets: KnownSecrets = {
    texts: [...(await readSecretsOf([layout.key, layout.nextKey, layout.adminToken])), ...machineNames().texts],
    folders: [[layout.folder, "<data-directory>"], ...machineNames().folders],
  };
  const named = {
    status: layout.status,
    config: layout.config,
    configJson: layout.configJson,
    network: layout.network,
    switch: layout.switch,
  };
  const files: Record<string, unknown> = {};
  for (const [name, path] of Object.entries(named)) {
    const text = await readTextEnd(path, TEXT_BYTES_MAX);
    if (text !== undefined) files[name] = jsonOr(text);
  }
  const found = {
    schema: "weft-bugreport/1" as const,
    ...{ at, version },
    machine: machineFinding().text,
    disk: (await spaceFinding(layout.folder)).text,
    files,
    listing: (await filesIn(layout.folder)).map(({ path, bytes }: FoundFile) => ({ path, bytes })),
    log: await logLines(layout.logs),
    ...(running !== undefined && { running }),
  };
  return redactValue(found, secrets) as BugReport;
}

async function logLines(folder: string): Promise<readonly unknown[]> {
  const lines: string[] = [];
  for (const path of [...logFiles(folder)].reverse()) {
    const text = await readTextEnd(path, 2 * LOG_FILE_BOUNDS.fileBytes);
    for (const line of (text ?? "").split("\n")) if (line !== "") lines.push(line);
  }
  return lines.slice(-LOG_LINES_MAX).map(jsonOr);
}

/** A text as the JSON that it is, so that its fields are known; else as it stands. */
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
