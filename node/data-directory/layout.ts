/**
 * What stands where in a peer's data directory: one folder per peer, safe to copy while the peer is stopped. Which
 * values a run goes by is decided above, flag before environment before file; see `cli/config-file.ts`.
 */

/** Paths of a data directory. */
export interface DataDirectory {
  readonly folder: string;
  /** Version of the files; see version.ts. */
  readonly version: string;
  /** Identity: 32 bytes, mode 0600. Losing it means becoming another peer. */
  readonly key: string;
  /** There where the key came from a backup, so that it may have signed and spent what no file here knows. */
  readonly restoredKey: string;
  /** Written anew in each life, by which a copy of these files is known. */
  readonly life: string;
  /** The key that is to take its place, while the roster has not agreed yet. */
  readonly nextKey: string;
  /** Names the process that uses the directory. */
  readonly lock: string;
  /** Own chain and inbox, a folder of LevelDB. */
  readonly store: string;
  /** Folder of numbered safetensors files. */
  readonly checkpoints: string;
  /** The same, being carried over to the manifest under which the network goes on. */
  readonly nextCheckpoints: string;
  /** Adapter of the round that was best on the validation set, in weft's own form. */
  readonly bestRound: string;
  /** Where the base model is looked for when it is in no other place. */
  readonly model: string;
  /** What a change to the next manifest does, until it is done. */
  readonly switch: string;
  /** Manifest of the network that this peer belongs to. */
  readonly network: string;
  /** Flags for later runs, as TOML. */
  readonly config: string;
  /** The same as JSON, as versions before 0.2 wrote it; one of the two. */
  readonly configJson: string;
  /** Record of everything that left this peer. */
  readonly egress: string;
  /** Folder through which other processes ask the running peer to act on the roster. */
  readonly requestInbox: string;
  /** Genesis of the roster, where the network has one. */
  readonly genesis: string;
  /** Where the peer is, for a person who asks. */
  readonly status: string;
  /** Folder of its log. */
  readonly logs: string;
  /** What whoever uses the admin interface has to show, mode 0600. */
  readonly adminToken: string;
  /** Where the admin interface of the running peer is. */
  readonly admin: string;
  /** The socket of the admin interface, where it has no other place. */
  readonly adminSocket: string;
}

/** Names of folders with the checkpoints of manifests before. */
export const CHECKPOINTS_ASIDE = /^checkpoints-[0-9a-f]{16}(-\d+)?$/;
/** How many of them are kept: the newest. */
export const CHECKPOINTS_ASIDE_MAX = 8;

/** The paths within a folder; nothing is created. Forward slashes, which every system understands. */
export function dataDirectoryLayout(folder: string): DataDirectory {
  const root = folder.length > 1 ? folder.replace(/[/\\]+$/, "") : folder;
  const at = (name: string): string => (root === "/" ? `/${name}` : `${root}/${name}`);
  return {
    folder: root,
    version: at("version"),
    key: at("key"),
    restoredKey: at("key.restored"),
    life: at("life"),
    nextKey: at("key.next"),
    lock: at("lock"),
    store: at("store"),
    checkpoints: at("checkpoints"),
    nextCheckpoints: at("checkpoints.next"),
    bestRound: at("best-round"),
    model: at("model"),
    switch: at("switch.json"),
    network: at("network.json"),
    config: at("config.toml"),
    configJson: at("config.json"),
    egress: at("egress.jsonl"),
    requestInbox: at("outbox"),
    genesis: at("genesis.json"),
    status: at("status.json"),
    logs: at("logs"),
    adminToken: at("admin-token"),
    admin: at("admin.json"),
    adminSocket: at("admin.sock"),
  };
}
