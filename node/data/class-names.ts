/** Names of classes, as data sets of Hugging Face keep them beside numbers: in a table's metadata, in dataset_info.json, in README.md. */

import { isObject } from "./exported-chats.ts";
import { dataRefusal } from "./place.ts";
import type { ClassNames, Row, RowValues } from "./row.ts";

/** Classes of one column, and columns, that are read of a file; ImageNet-21k has 21,841 classes. */
const CLASSES_MAX = 1_000_000;
const COLUMNS_MAX = 100_000;

/** Names in the metadata of a Parquet or Arrow file under the key "huggingface"; none where there is no such text. */
export function namesOfMetadata(text: string | null | undefined): ClassNames {
  const { info } = objectOf(text);
  return isObject(info) ? namesOfFeatures(info.features) : new Map();
}

/** Names in dataset_info.json, or in dataset_infos.json by configuration. */
export function namesOfInfo(text: string): ClassNames {
  const read = objectOf(text);
  const infos = isObject(read.features) ? [read] : Object.values(read).filter(isObject);
  return agreed(infos.map(({ features }) => namesOfFeatures(features)));
}

/** Names in the `dataset_info` at the head of a data set's README.md, read from YAML. */
export function namesOfCard(card: unknown): ClassNames {
  const info = isObject(card) ? card.dataset_info : undefined;
  const infos = (Array.isArray(info) ? info : [info]).filter(isObject);
  return agreed(
    infos.map(({ features }) => {
      const listed = Array.isArray(features) ? features.filter(isObject).slice(0, COLUMNS_MAX) : [];
      return new Map(listed.flatMap((one) => named(one.name, cardNames(one))));
    }),
  );
}

/** Names as `datasets` writes features: `{"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}`, or a list of such. */
function namesOfFeatures(features: unknown): ClassNames {
  if (!isObject(features)) return new Map();
  return new Map(
    Object.entries(features)
      .slice(0, COLUMNS_MAX)
      .flatMap(([column, feature]) => named(column, featureNames(feature))),
  );
}

function featureNames(feature: unknown): readonly string[] | undefined {
  const one = Array.isArray(feature) ? feature[0] : feature;
  if (!isObject(one)) return undefined;
  if (one._type === "ClassLabel") return textsOf(one.names);
  return featureNames(one.feature);
}

/** `dtype: class_label: names: {'0': neg, '1': pos}`, by itself or of a sequence. */
function cardNames(feature: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  for (const kind of [feature.dtype, feature.sequence, feature.list]) {
    if (!isObject(kind)) continue;
    const { class_label: label } = kind;
    if (isObject(label)) return textsOf(isObject(label.names) ? byNumber(label.names) : label.names);
    const inner = cardNames(kind);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

const byNumber = (names: Readonly<Record<string, unknown>>): unknown[] =>
  Object.keys(names).map((_, number) => names[number]);

function textsOf(names: unknown): readonly string[] | undefined {
  if (!Array.isArray(names) || names.length === 0 || names.length > CLASSES_MAX) return undefined;
  // YAML has names such as 1 and yes as what they look like.
  const texts = names.map((name) => (typeof name === "number" || typeof name === "boolean" ? String(name) : name));
  return texts.every((name) => typeof name === "string") ? texts : undefined;
}

const named = (column: unknown, names: readonly string[] | undefined): [string, readonly string[]][] =>
  typeof column === "string" && names !== undefined ? [[column, names]] : [];

/** What several say alike; where they differ, nobody can tell which of them a file goes by. */
function agreed(all: readonly ClassNames[]): ClassNames {
  const [first = new Map(), ...others] = all;
  const isSame = (column: string, names: readonly string[]): boolean =>
    others.every((one) => !one.has(column) || one.get(column)?.join("\n") === names.join("\n"));
  const columns = new Map([...others.toReversed(), first].flatMap((one) => [...one]));
  return new Map([...columns].filter(([column, names]) => all.length === 1 || isSame(column, names)));
}

function objectOf(text: string | null | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return isObject(value) ? value : {};
  } catch {
    // What another program keeps under this name is no fault of the rows.
    return {};
  }
}

/**
 * The values of a row with the name of its class in place of the number, in these columns.  Digits count as a number, as a
 * table has them, unless a class is called so; below 0 stands for none.
 * Throws: DATA_FORMAT for a number beyond the names.
 */
export function withClassNames({ values, place }: Row, columns: readonly string[], names: ClassNames): RowValues {
  const texts = columns.flatMap((column): [string, string][] => {
    const [all, value] = [names.get(column), values[column]];
    const number = classNumberOf(value);
    if (all === undefined || number === undefined || (typeof value === "string" && all.includes(value))) return [];
    const name = all[number];
    if (name !== undefined) return [[column, name]];
    throw dataRefusal(
      place,
      `"${column}" is ${number}, and the data set names ${all.length} classes, from 0 on; correct it`,
    );
  });
  return texts.length === 0 ? values : { ...values, ...Object.fromEntries(texts) };
}

/** The class that a value stands for by number; undefined where it is another value. */
export function classNumberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,9}$/u.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
