/** The files of data in a folder: its shards, those of the folders in it, and the set that a name says they are. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setOfName } from "../../data/set-names.ts";
import { NodeError } from "../../errors.ts";

/** A file, and the set that its name or its folder's puts it into. */
export interface DataPath {
  readonly file: string;
  readonly set?: "train" | "validation" | "test";
}

/** Shards of one folder: of a hundred terabytes in the usual half gigabyte each. */
const SHARDS_MAX = 200_000;

/** Endings of files with data, beside what they may be packed by. */
const SHARD = /\.(?:jsonl|ndjson|json|csv|tsv|tab|txt|parquet|arrow|feather)(?:\.(?:gz|zst|zstd))?$/iu;
/** Notes, where a folder has no shards; a page about the folder is none. */
const NOTES = /^(?!\.|(?:readme|license|changelog|contributing)\b).*\.(?:md|markdown)$/iu;
/** What data sets of Hugging Face have beside their shards; what starts with "cache-" repeats them. */
const BESIDE = new Set(["dataset_info.json", "dataset_dict.json", "dataset_infos.json", "state.json"]);
/** What the export of a Slack workspace has beside the folders of its channels. */
const SLACK = ["channels.json", "users.json"];

/**
 * The shards of a folder by name, or its notes in Markdown; without any, those of the folders in it. Where all are named as sets are
 * (`test-00000.parquet`, `test/…`), and not all as the same one, the names say what is held out.
 * Throws: DATA_FORMAT where there is nothing to read, or no saying which of several folders is meant.
 */
export async function shardsOf(folder: string): Promise<readonly DataPath[]> {
  const own = await shardsIn(folder);
  const isSlack = SLACK.every((name) => own.includes(name));
  const paths =
    own.length > 0 && !isSlack
      ? own.map((name): DataPath => ({ file: join(folder, name), ...named(name) }))
      : await shardsBelow(folder, isSlack);
  if (paths.length > SHARDS_MAX) {
    const text = `${folder} has ${paths.length} files of data, ${SHARDS_MAX} are the most`;
    throw new NodeError("DATA_FORMAT", text, { path: folder });
  }
  const sets = new Set(paths.map(({ set }) => set));
  return sets.size > 1 && !sets.has(undefined) ? paths : paths.map(({ file }) => ({ file }));
}

const named = (name: string): Pick<DataPath, "set"> => {
  const set = setOfName(name);
  return set === undefined ? {} : { set };
};

const isShard = (name: string): boolean =>
  SHARD.test(name) && !name.startsWith(".") && !BESIDE.has(name) && !/^cache-.*\.arrow$/u.test(name);

async function shardsIn(folder: string): Promise<readonly string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => !entry.isDirectory());
  const all = entries.map(({ name }) => name).toSorted();
  const shards = all.filter(isShard);
  return shards.length > 0 ? shards : all.filter((name) => NOTES.test(name));
}

async function shardsBelow(folder: string, isSlack: boolean): Promise<readonly DataPath[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
  const found = await Promise.all(
    folders.toSorted().map(async (name) => ({ name, shards: await shardsIn(join(folder, name)) })),
  );
  const filled = found.filter(({ shards }) => shards.length > 0);
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
