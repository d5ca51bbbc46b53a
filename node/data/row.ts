/** One row of a data file before anything is known about its form: named values, and where they stand. */
import type { Place } from "./place.ts";

/** Named values of a row, as its reader gives them. */
export type RowValues = Readonly<Record<string, unknown>>;

/** A row and its place. */
export interface Row {
  readonly values: RowValues;
  readonly place: Place;
}

/** Text in pieces of any length. */
export type TextPieces = AsyncIterable<string> | Iterable<string>;

/** Bytes in pieces of any length. */
export type BytePieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
