/** A list or an object in the cell of a table, which has it as text. */
import { dataRefusal, type Place } from "./place.ts";

/** The value that the text is in JSON.  what, todo: for the refusal.  Throws: DATA_FORMAT at the place. */
export function jsonOfCell(text: string, what: string, todo: string, place: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw dataRefusal(place, `${what}${isPython(text) ? PYTHON : `; ${todo}`}`, cause);
  }
}

const PYTHON =
  ', but Python\'s notation, as pandas writes lists by to_csv; save the rows by to_json(orient="records", lines=True), or as Parquet';

/** Single quotes, or no commas, as str() and NumPy write lists. */
const isPython = (text: string): boolean =>
  /^\s*[[{(]\s*(?:[[{(]\s*)?'|array\(|dtype=|^\s*\[[^,]*\s[^,]*\]\s*$/u.test(text);
