/** What stands beside files of data about them: the names of classes in dataset_info.json or README.md. The only user of yaml. */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { namesOfCard, namesOfInfo } from "../../data/class-names.ts";
import type { ClassNames } from "../../data/row.ts";

/** A card is a page of text, and a description of a data set a list of its columns. */
const BYTES_MAX = 2 ** 24;

/** Names of classes by column, as the folder of a file or the folder around it says them; none where nothing does. */
export async function classNamesBeside(file: string): Promise<ClassNames> {
  const folder = dirname(file);
  for (const place of [folder, dirname(folder)]) {
    for (const [name, read] of SOURCES) {
      const text = await smallText(join(place, name));
      const names = text === undefined ? undefined : await read(text);
      if (names !== undefined && names.size > 0) return names;
    }
  }
  return new Map();
}

const SOURCES: readonly (readonly [string, (text: string) => ClassNames | Promise<ClassNames>])[] = [
  ["dataset_info.json", namesOfInfo],
  ["dataset_infos.json", namesOfInfo],
  ["README.md", namesOfReadme],
];

/** The YAML between the first two lines of dashes, where it describes a data set. */
async function namesOfReadme(text: string): Promise<ClassNames> {
  const [, head = ""] = /^\uFEFF?---\r?\n(.*?)\r?\n---\s*(?:\r?\n|$)/su.exec(text) ?? [];
  if (!/^dataset_info:/mu.test(head) || !head.includes("class_label")) return new Map();
  const { parse } = await import("yaml");
  try {
    // Aliases could make much of little, and no card needs them.
    return namesOfCard(parse(head, { maxAliasCount: 0, uniqueKeys: false, logLevel: "silent" }));
  } catch {
    // A page that is no YAML says nothing about classes; the rows are read as they are.
    return new Map();
  }
}

async function smallText(path: string): Promise<string | undefined> {
  const about = await stat(path).catch(() => undefined);
  if (!about?.isFile() || about.size > BYTES_MAX) return undefined;
  return await readFile(path, "utf8").catch(() => undefined);
}
