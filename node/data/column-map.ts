/** Columns under the names that weft knows: `prompt=frage,response=antwort` on a command line. */
import { closestName } from "../../protocol/closest-name.ts";
import { NodeError } from "../errors.ts";
import { withClassNames } from "./class-names.ts";
import { rootsOf, valueOfColumns } from "./column-value.ts";
import { dataRefusal } from "./place.ts";
import type { ClassNames, Row } from "./row.ts";
import { columnsOfForm, ROW_FORMS } from "./row-forms.ts";

/** The name in the file by the name that weft knows; parts of columns, and several together, as `column-value.ts` has them. */
export type ColumnMap = ReadonlyMap<string, string>;

/** Names that say more of a row than its form reads: the set it belongs to, and its task. */
const OTHER_NAMES = ["set", "task"];

/** Throws: NodeError CONFIG_INVALID for a text of another form, or a name that no form of row has. */
export function parseColumnMap(text: string): ColumnMap {
  const known = [...new Set([...ROW_FORMS.flatMap(columnsOfForm), ...OTHER_NAMES])];
  const map = new Map<string, string>();
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const [name, column] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || name === "" || column === "") {
      throw refusal(text, `"${pair}" is no pair; write prompt=COLUMN,response=COLUMN`);
    }
    if (!known.includes(name)) {
      const near = closestName(name, known);
      const hint = near === undefined ? `use one of ${known.join(", ")}` : `did you mean ${near}?`;
      throw refusal(text, `"${name}" is no name that weft reads; ${hint}`);
    }
    if (map.has(name)) throw refusal(text, `"${name}" stands there twice; name one column for it`);
    map.set(name, column);
  }
  return map;
}

/** A row with its columns renamed; a column that has such a name already gives way.  Throws: DATA_FORMAT for a missing one. */
export function mapColumns({ classes, ...row }: Row, map: ColumnMap): Row {
  const given = classes === undefined || classes.size === 0 ? {} : { classes: mapClassNames(classes, map) };
  if (map.size === 0) return { ...row, ...given };
  const { place } = row;
  // A class that is learnt as text is learnt by its name.
  const texts = [...map].flatMap(([name, column]) => (TEXTS.has(name) ? [column] : []));
  const values = classes === undefined ? row.values : withClassNames(row, texts, classes);
  const columns = Object.keys(values);
  const sources = new Set([...map.values()].flatMap((text) => rootsOf(text, columns)));
  const named: [string, unknown][] = [...map].map(([name, text]) => {
    const absent = rootsOf(text, columns).find((column) => !columns.includes(column));
    if (absent === undefined) return [name, asText(name, valueOfColumns(values, text, place))];
    const near = closestName(absent, columns);
    const hint = near === undefined ? `it has ${columns.slice(0, 12).join(", ")}` : `did you mean "${near}"?`;
    throw dataRefusal(place, `there is no column "${absent}" for ${name}=${text}; ${hint}`);
  });
  const others = Object.entries(values).filter(([name]) => !sources.has(name) && !map.has(name));
  return { values: Object.fromEntries([...others, ...named]), place, ...given };
}

/** The names of a file's columns under the names that its owner gave these. */
function mapClassNames(names: ClassNames | undefined, map: ColumnMap): ClassNames | undefined {
  if (names === undefined || map.size === 0) return names;
  const sources = new Set(map.values());
  const others = [...names].filter(([name]) => !sources.has(name) && !map.has(name));
  const mapped = [...map].flatMap(([name, column]) => {
    const all = names.get(column);
    return all === undefined ? [] : [[name, all] as const];
  });
  return new Map([...others, ...mapped]);
}

/** Whoever names a column of whole numbers or truth values as the answer means what they are written as. */
function asText(name: string, value: unknown): unknown {
  const isPlain = typeof value === "boolean" || Number.isSafeInteger(value);
  return isPlain && TEXTS.has(name) ? `${value as boolean | number}` : value;
}

const TEXTS: ReadonlySet<string> = new Set(["response", "completion", "output"]);

/** Names of a file's columns after the mapping. */
export function mappedColumns(columns: readonly string[], map: ColumnMap): readonly string[] {
  const roots = [...map].map(([name, text]) => ({ name, from: rootsOf(text, columns) }));
  const sources = new Set(roots.flatMap(({ from }) => from));
  const has = roots.filter(({ from }) => from.every((column) => columns.includes(column))).map(({ name }) => name);
  return [...columns.filter((name) => !sources.has(name) && !map.has(name)), ...has];
}

function refusal(text: string, why: string): NodeError {
  return new NodeError("CONFIG_INVALID", `columns "${text}": ${why}`, { columns: text });
}
