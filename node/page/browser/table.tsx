/** A table of figures, which scrolls by itself where the page is narrow. */
import type { ComponentChildren } from "preact";

/** Its caption names it for everybody; the first cell of each row heads the row. */
export function Table(given: {
  readonly caption: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly ComponentChildren[])[];
  /** Places of columns that a narrow page leaves out. */
  readonly wide?: readonly number[];
}) {
  const { caption, headings, rows, wide = [] } = given;
  const kind = (column: number): string | undefined => (wide.includes(column) ? "wide" : undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
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

/** The same figures as a chart, for who reads numbers. */
export function NumbersBelow(given: Parameters<typeof Table>[0]) {
  return (
    <details>
      <summary>{given.caption}, as a table</summary>
      <Table {...given} />
    </details>
  );
}
