/** The files of data in a folder: its shards, those of the folders in it, and the set that a name says they are. */
import { existsSync, readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setOfName } from "../../data/set-names.ts";
import { NodeError } from "../../errors.ts";

/** A file, and the set that its name or its folder's puts it into. */
export interface DataPath {
  readonly file: string;
  readonly set?: "train" | "validation" | "test";
}

/** The files of a folder, and what its owner must look at. */
export interface FolderShards {
  readonly paths: readonly DataPath[];
  readonly warnings: readonly string[];
}

/** Shards of one folder: of a hundred terabytes in the usual half gigabyte each. */
const SHARDS_MAX = 200_000;
/** Folders in folders that are looked into while each has one alone. */
const DEPTH_MAX = 8;

/** Endings of files with data, beside what they may be packed by. */
const SHARD = /\.(?:jsonl|ndjson|json|csv|tsv|tab|txt|parquet|arrow|feather)(?:\.(?:gz|zst|zstd))?$/iu;
const TEXT = /\.txt(?:\.(?:gz|zst|zstd))?$/iu;
/** Notes, where a folder has no shards; a page about the folder is none. */
const NOTES = /^(?!\.|(?:readme|license|changelog|contributing)\b).*\.(?:md|markdown)$/iu;
/** Texts about a folder. */
const ABOUT =
  /^(?:readme|licen[cs]e|notice|changelog|changes|citation|authors|contributing|requirements|version|todo)\b.*\.txt$/iu;
/** What data sets of Hugging Face have beside their shards; what starts with "cache-" repeats them. */
const BESIDE = new Set(["dataset_info.json", "dataset_dict.json", "dataset_infos.json", "state.json"]);
/** What the export of a Slack workspace has beside the folders of its channels. */
const SLACK = ["channels.json", "users.json"];

/**
 * The shards of a folder by name, or its notes in Markdown; without any, those of the folders in it, or of the snapshot in a folder of
 * Hugging Face's cache. Where all are named as sets are (`test-00000.parquet`, `test/…`), and not all as the same one, the names say
 * what is held out.
 * Throws: DATA_FORMAT where there is nothing to read, or no saying which of several folders is meant.
 */
export async function shardsOf(folder: string): Promise<FolderShards> {
  const found = await pathsOf(folder, DEPTH_MAX);
  if (found.length > SHARDS_MAX) {
    const text = `${folder} has ${found.length} files of data, ${SHARDS_MAX} are the most`;
    throw new NodeError("DATA_FORMAT", text, { path: folder });
  }
  const sets = new Set(found.map(({ set }) => set));
  const paths = sets.size > 1 && !sets.has(undefined) ? found : found.map(({ file }) => ({ file }));
  return { paths, warnings: warningsOf(folder, paths) };
}

async function pathsOf(folder: string, depth: number): Promise<readonly DataPath[]> {
  const { shards, folders } = await listed(folder);
  const isSlack = SLACK.every((name) => shards.includes(name));
  if (shards.length > 0 && !isSlack) {
    return shards.map((name): DataPath => ({ file: join(folder, name), ...named(name) }));
  }
  const snapshot = snapshotOf(folder, folders);
  if (snapshot !== undefined && depth > 0) return pathsOf(snapshot, depth - 1);
  return pathsBelow(folder, folders, { isSlack, depth });
}

/** The newest snapshot in a folder of Hugging Face's cache. */
function snapshotOf(folder: string, folders: readonly string[]): string | undefined {
  if (!folders.includes("snapshots") || !folders.includes("refs")) return undefined;
  const main = join(folder, "refs", "main");
  if (!existsSync(main)) return join(folder, "snapshots");
  const path = join(folder, "snapshots", readFileSync(main, "utf8").trim().slice(0, 64));
  return existsSync(path) ? path : join(folder, "snapshots");
}

const named = (name: string): Pick<DataPath, "set"> => {
  const set = setOfName(name);
  return set === undefined ? {} : { set };
};

const isShard = (name: string): boolean =>
  SHARD.test(name) &&
  !name.startsWith(".") &&
  !BESIDE.has(name) &&
  !/^cache-.*\.arrow$/u.test(name) &&
  !ABOUT.test(name);

/** What is in a folder by name, links by what they lead to. */
async function listed(
  folder: string,
): Promise<{ readonly shards: readonly string[]; readonly folders: readonly string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    const text = `${folder} cannot be read; give this user the right to read the folder`;
    throw new NodeError("DATA_FORMAT", text, { path: folder }, { cause });
  });
  const all = await Promise.all(
    entries.map(async (entry) => {
      if (!entry.isSymbolicLink()) return { name: entry.name, isFolder: entry.isDirectory() };
      const about = await stat(join(folder, entry.name)).catch(() => undefined);
      return { name: entry.name, isFolder: about?.isDirectory() ?? false };
    }),
  );
  const names = (isFolder: boolean): readonly string[] =>
    all
      .filter((one) => one.isFolder === isFolder)
      .map(({ name }) => name)
      .toSorted();
  const files = names(false);
  const shards = files.filter(isShard);
  return {
    shards: shards.length > 0 ? shards : files.filter((name) => NOTES.test(name)),
    folders: names(true).filter((name) => !name.startsWith(".")),
  };
}

async function pathsBelow(
  folder: string,
  folders: readonly string[],
  { isSlack, depth }: { readonly isSlack: boolean; readonly depth: number },
): Promise<readonly DataPath[]> {
  const looked = await Promise.all(
    folders.map(async (name) => ({ name, shards: (await listed(join(folder, name))).shards })),
  );
  const filled = looked.filter(({ shards }) => shards.length > 0);
  const [only] = folders;
  if (filled.length === 0 && folders.length === 1 && depth > 0 && only !== undefined) {
    return pathsOf(join(folder, only), depth - 1);
  }
  const areSets = filled.every(({ name }) => setOfName(name) !== undefined);
  if (filled.length === 0) {
    const text = `${folder} is not a file, and a folder without shards of data; give a file, or a folder of .jsonl, .csv, .parquet or .arrow files`;
    throw new NodeError("DATA_FORMAT", text, { path: folder });
  }
  if (filled.length > 1 && !areSets && !isSlack) {
    const names = filled.map(({ name }) => name).slice(0, 8);
    const text = `${folder} has no shards of data itself, and several folders that have some: ${names.join(", ")}; give one of them`;
    throw new NodeError("DATA_FORMAT", text, { path: folder });
  }
  return filled.flatMap(({ name, shards }) =>
    shards.map((shard): DataPath => ({ file: join(folder, name, shard), ...(areSets ? named(name) : named(shard)) })),
  );
}

/** Shards that are missing by the numbers of the others, and texts that stand beside rows. */
function warningsOf(folder: string, paths: readonly DataPath[]): readonly string[] {
  const groups = new Map<string, { count: number; of: number }>();
  for (const { file } of paths) {
    const [, prefix, count] = /^(.*?)-?\d+-of-(\d+)\b/u.exec(file) ?? [];
    if (prefix === undefined) continue;
    const key = `${prefix}-of-${count}`;
    groups.set(key, { count: (groups.get(key)?.count ?? 0) + 1, of: Number(count) });
  }
  const missing = [...groups.values()].filter(({ count, of }) => count < of);
  const texts = paths.filter(({ file }) => TEXT.test(file));
  return [
    ...missing.map(
      ({ count, of }) => `${folder} has ${count} of ${of} shards, by their names; the rows of the others are missing`,
    ),
    ...(texts.length > 0 && texts.length < paths.length
      ? [
          `${folder} has running text (${texts[0]!.file.slice(folder.length + 1)}) beside files of rows; both are trained on`,
        ]
      : []),
  ];
}
