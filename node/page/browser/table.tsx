/** A table of figures, which scrolls by itself where the page is narrow. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

/** Its caption names it for everybody; the first cell of each row heads the row. */
export function Table(given: {
  readonly caption: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly ComponentChildren[])[];
  /** Places of columns that a narrow page leaves out. */
  readonly wide?: readonly number[];
  /** Whether it has more columns than a page has room for in common size. */
  readonly isDense?: boolean;
}) {
  const { caption, headings, rows, wide = [], isDense = false } = given;
  const kind = (column: number): string | undefined => (wide.includes(column) ? "wide" : undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table class={isDense ? "dense" : undefined}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {headings.map((heading, j) => (
              <th scope="col" key={heading} class={kind(j)}>
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (j === 0 ? <th scope="row">{cell}</th> : <td class={kind(j)}>{cell}</td>))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A table with more cells is made when it is opened, so that a page that goes on changing stays quick. */
const CELLS_MAX = 1_500;

/** The same figures as a chart, for who reads numbers.  rows: what makes them.  cells: how many there are. */
export function NumbersBelow(
  given: Omit<Parameters<typeof Table>[0], "rows"> & {
    readonly rows: () => Parameters<typeof Table>[0]["rows"];
    readonly cells?: number;
  },
) {
  const { caption, rows, cells = 0 } = given;
  const [isOpen, open] = useState(false);
  return (
    <details onToggle={(event) => open(event.currentTarget.open)}>
      <summary>{caption}, as a table</summary>
      {(isOpen || cells <= CELLS_MAX) && <Table {...given} rows={rows()} />}
    </details>
  );
}
