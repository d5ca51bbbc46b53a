/** One row of a data file before anything is known about its form: named values, and where they stand. */
import type { Place } from "./place.ts";

/** Named values of a row, as its reader gives them. */
export type RowValues = Readonly<Record<string, unknown>>;

/** Names of the classes by number, by column. */
export type ClassNames = ReadonlyMap<string, readonly string[]>;

/** A row and its place. */
export interface Row {
  readonly values: RowValues;
  readonly place: Place;
  /** What the file calls the classes of its columns. */
  readonly classes?: ClassNames | undefined;
}

/** Text in pieces of any length. */
export type TextPieces = AsyncIterable<string> | Iterable<string>;

/** Bytes in pieces of any length. */
export type BytePieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
