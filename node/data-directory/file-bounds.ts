/**
 * How large each file of a peer's data directory becomes, whatever the network sends. A test holds a running peer to this table,
 * and a page shows it.
 */
import { LIMITS } from "../../protocol/limits.ts";
import { EXCHANGE_DEFAULTS } from "../exchange/exchange-limits.ts";
import { TRAIL_BYTES_MAX } from "../exchange/own-trail.ts";
import { SUMMARIES_MAX } from "../interface/peer-event.ts";
import { MEMBER_LABELS_BYTES_MAX } from "../membership/member-labels.ts";
import { EGRESS_BOUNDS } from "../system/files/egress-file.ts";
import { EGRESS_RESERVE_BYTES } from "../system/files/egress-reserve.ts";
import { LOG_FILE_BOUNDS } from "../system/files/log-file.ts";
import { INBOX_FILES_MAX, REQUEST_BYTES_MAX } from "../system/files/request-inbox.ts";
import { CHECKPOINTS_ASIDE, CHECKPOINTS_ASIDE_MAX } from "./layout.ts";

const KIB = 1024;
const MIB = KIB * KIB;
const GIB = KIB * MIB;

/** What a bound depends on. */
export interface BoundNetwork {
  /** Values of the adapter. */
  readonly values: number;
}

/** A file, or a folder with all that is in it. */
export interface FileBound {
  /** As a person reads it. */
  readonly name: string;
  /** Its name in the data directory. */
  readonly pattern: RegExp;
  readonly what: string;
  /** What keeps it within its bound. */
  readonly because: string;
  /** Largest size in bytes; undefined: as large as the user makes it, no peer writes it. */
  readonly bytes: ((network: BoundNetwork) => number) | undefined;
  /** The size in words. */
  readonly size: string;
}

/** Vectors of one state of training: the adapter, two moments of the optimiser, a head, and what a sparse update has kept back. */
const VECTORS_PER_STATE = 6;
/** A peer, its rival and the state to come back to, with the reference model's snapshots. */
const VECTORS_MAX = 3 * VECTORS_PER_STATE + 16;
const checkpointBytes = ({ values }: BoundNetwork): number => VECTORS_MAX * 4 * values + 8 * MIB;
/** The newest two, the one that is being written, and one that was damaged. */
const checkpointsBytes = (network: BoundNetwork): number => 4 * checkpointBytes(network);

/** What the store holds: neighbours' updates, the own update with what it rests on, roster, notes, sketches and addresses. */
const STORED_BYTES =
  EXCHANGE_DEFAULTS.inboxBytesMax +
  LIMITS.keyframeEveryMax * LIMITS.updateBytesMax +
  LIMITS.successionCountMax * TRAIL_BYTES_MAX +
  (LIMITS.rosterEntryCountMax + LIMITS.rosterPendingCountMax) * LIMITS.rosterEntryBytesMax +
  LIMITS.rosterNoteCountMax * LIMITS.rosterNoteBytesMax +
  MEMBER_LABELS_BYTES_MAX +
  EXCHANGE_DEFAULTS.authorsMax * LIMITS.sketchBytesMax +
  LIMITS.successionCountMax * LIMITS.manifestBytesMax +
  MIB;
/** LevelDB keeps what was replaced until it has merged its tables: never more than that once again, and its log. */
const STORE_BYTES = 2 * STORED_BYTES + 64 * MIB;

const LOG_BYTES_MAX = LOG_FILE_BOUNDS.files * LOG_FILE_BOUNDS.fileBytes;

const gib = (bytes: number): string => `${Math.ceil(bytes / GIB)} GiB`;
const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Of files that are written under a temporary name first. */
const TEMPORARY = /^\..+\.tmp$/;

/** Every file of a data directory. */
export const FILE_BOUNDS: readonly FileBound[] = [
  {
    ...{ name: "`version`", pattern: /^version$/, what: "the version of all these files" },
    ...{ because: "one short line", bytes: () => KIB, size: "1 KiB" },
  },
  {
    ...{ name: "`key`, `key.next`", pattern: /^key(\.next)?$/, what: "the identity, and the one that is to follow" },
    ...{ because: "a seed", bytes: () => 32, size: "32 bytes each" },
  },
  {
    ...{ name: "`key.restored`", pattern: /^key\.restored$/, what: "says that the key came from a backup" },
    ...{ because: "one short line", bytes: () => KIB, size: "1 KiB" },
  },
  {
    ...{ name: "`life`", pattern: /^life$/, what: "by which a copy of these files is known" },
    ...{ because: "one short value", bytes: () => KIB, size: "1 KiB" },
  },
  {
    ...{ name: "`lock`", pattern: /^lock(\..+)?$/, what: "the process that uses the directory" },
    ...{ because: "three short values", bytes: () => 4 * KIB, size: "4 KiB" },
  },
  {
    ...{
      name: "`store/`",
      pattern: /^store$/,
      what: "own and neighbours' newest updates, roster, addresses (LevelDB)",
    },
    because:
      "bounds of memory and of the roster (protocol/limits.ts, exchange-limits.ts), twice while tables are merged",
    ...{ bytes: () => STORE_BYTES, size: `${gib(STORE_BYTES)}; a few megabytes for small adapters` },
  },
  {
    ...{
      name: "`checkpoints/`, `checkpoints.next/`",
      pattern: /^checkpoints(\.next)?$/,
      what: "where training goes on",
    },
    because: `two files, one that is being written, one that was damaged; ${SUMMARIES_MAX} rounds are remembered`,
    ...{
      bytes: checkpointsBytes,
      size: `${(4 * 4 * VECTORS_MAX).toString()} bytes a value of the adapter, and 32 MiB`,
    },
  },
  {
    ...{ name: "`checkpoints-NETWORK/`", pattern: CHECKPOINTS_ASIDE, what: "what was trained under a manifest before" },
    because: `the newest ${CHECKPOINTS_ASIDE_MAX} folders are kept`,
    ...{ bytes: checkpointsBytes, size: `like checkpoints, ${CHECKPOINTS_ASIDE_MAX} times` },
  },
  {
    ...{
      name: "`best-round/`",
      pattern: /^best-round$/,
      what: "the adapter of the round with the lowest validation loss",
    },
    because: "one adapter; a better one takes its place, written beside it first",
    ...{ bytes: ({ values }) => 8 * values + 8 * MIB, size: "8 bytes a value of the adapter, and 8 MiB" },
  },
  {
    ...{ name: "`egress.jsonl`, `egress.jsonl.sealed/`", pattern: /^egress\.jsonl(\.sealed)?$/ },
    ...{ what: "the record of everything that left", size: `${gib(EGRESS_BOUNDS.totalBytes)} together` },
    because: `segments of ${mib(EGRESS_BOUNDS.segmentBytes)}; the oldest go, and a record says what they added up to`,
    bytes: () => EGRESS_BOUNDS.totalBytes,
  },
  {
    ...{ name: "`egress.jsonl.reserve`", pattern: /^egress\.jsonl\.reserve$/, what: "space for when the disk is full" },
    ...{ because: "one size", bytes: () => EGRESS_RESERVE_BYTES, size: mib(EGRESS_RESERVE_BYTES) },
  },
  {
    ...{ name: "`network.json`", pattern: /^network\.json$/, what: "the manifest, or the genesis, of the network" },
    ...{ because: "bounds of manifests, indented", bytes: () => 4 * LIMITS.genesisBytesMax },
    size: mib(4 * LIMITS.genesisBytesMax),
  },
  {
    ...{ name: "`genesis.json`", pattern: /^genesis\.json$/, what: "the genesis of the roster" },
    ...{ because: "bounds of manifests", bytes: () => LIMITS.genesisBytesMax, size: mib(LIMITS.genesisBytesMax) },
  },
  {
    ...{ name: "`status.json`", pattern: /^status\.json$/, what: "where the peer is" },
    because: "the newest 20 rounds, 8 addresses that are not reached, 16 requests",
    ...{ bytes: () => MIB, size: "1 MiB" },
  },
  {
    ...{ name: "`logs/`", pattern: /^logs$/, what: "the log" },
    because: `${LOG_FILE_BOUNDS.files} files of ${mib(LOG_FILE_BOUNDS.fileBytes)}; the oldest goes`,
    ...{ bytes: () => LOG_BYTES_MAX, size: mib(LOG_BYTES_MAX) },
  },
  {
    ...{ name: "`admin-token`, `admin.json`, `admin.sock`", pattern: /^admin(-token|\.json|\.sock)$/ },
    ...{ what: "the secret of the admin interface, and where that is while the peer runs" },
    ...{ because: "one short value each", bytes: () => 4 * KIB, size: "4 KiB" },
  },
  {
    ...{ name: "`switch.json`", pattern: /^switch\.json$/, what: "a change of manifest that is not done yet" },
    ...{ because: "two short values", bytes: () => 4 * KIB, size: "4 KiB" },
  },
  {
    ...{ name: "`outbox/`", pattern: /^outbox$/, what: "what commands ask the running peer, and its answers" },
    because: `${INBOX_FILES_MAX} files; older ones that nobody fetched go. Only the directory's own user can write there`,
    ...{ bytes: () => INBOX_FILES_MAX * REQUEST_BYTES_MAX, size: mib(INBOX_FILES_MAX * REQUEST_BYTES_MAX) },
  },
  {
    ...{ name: "`.NAME.tmp`", pattern: TEMPORARY, what: "a file that is being written" },
    ...{ because: "takes the place of its file", bytes: checkpointBytes, size: "like the file" },
  },
  {
    ...{
      name: "`config.toml`, `config.json`, `model/`, `weft-data.json`, adapters",
      pattern: /^(config\.(toml|json)|model|weft-data\.json)$/,
    },
    ...{ what: "what the user puts there, or has a command write", because: "no peer writes it" },
    ...{ bytes: undefined, size: "as you make it" },
  },
];

/** The row of a name in the data directory; undefined where there is none. */
export function boundOf(name: string): FileBound | undefined {
  return FILE_BOUNDS.find(({ pattern }) => pattern.test(name));
}
