/** Tables of the pages that are made from descriptors: `npm run docs` writes them between their markers, a test compares them. */
import { type MetricRow, PEER_METRICS, recordDoor } from "../node/index.ts";
import { ADAPTERS, type AdapterKind } from "../protocol/settings/adapter-kinds.ts";
import { AGGREGATION_RULES, type AggregationRuleKind } from "../protocol/settings/aggregation-rules.ts";

const { FILE_BOUNDS } = await recordDoor();
const METRICS: readonly MetricRow[] = PEER_METRICS;
const KINDS: readonly (readonly [string, AdapterKind])[] = Object.entries(ADAPTERS.kinds);
const RULES: readonly (readonly [string, AggregationRuleKind])[] = Object.entries(AGGREGATION_RULES);

/** The pages with such tables, by their paths in the repository. */
export const PAGES_WITH_TABLES = [
  "protocol/README.md",
  "docs/AGGREGATION.md",
  "docs/INTERCHANGE.md",
  "docs/FILES.md",
  "docs/monitoring/README.md",
] as const;

/** The tables, by the names in their markers. */
const TABLES: Readonly<Record<string, () => string>> = {
  "adapter kinds": () =>
    table(
      ["`adapter.kind`", "edit", "tensors that travel, per site", "derived", "absent"],
      [
        ...KINDS.map(([kind, { edit, sent, derived, absent }]) => [`\`${kind}\``, edit, sent, derived, absent]),
        [
          "`combination`",
          "one that changes linear layers (`lora`) and one that edits the residual stream (`reft`)",
          "those of both, `lora` first",
          "those of both",
          "",
        ],
      ],
    ),
  "aggregation rules": () =>
    table(
      ["`rule`", "aggregate", "numbers", "needs"],
      RULES.map(([rule, { computes, numbers, needs }]) => [`\`${rule}\``, computes, numbers, needs]),
    ),
  averages: () =>
    table(
      ["adapter", "what is averaged", "the average of adapters is"],
      merged(
        KINDS.flatMap(([kind, { averages }]) =>
          averages.map(({ form, of, is }) => ({ kind, form: form === "" ? "" : ` ${form}`, cells: [of, is] })),
        ),
      ),
    ),
  "files of a data directory": () =>
    table(
      ["file", "what", "largest size", "what keeps it there"],
      FILE_BOUNDS.map(({ name, what, size, because }) => [name, what, size, because]),
    ),
  metrics: () =>
    table(
      ["figure", "kind", "labels", "what it says"],
      METRICS.map(({ name, kind, labels = [], text }) => [`\`${name}\``, kind, labels.join(", "), text]),
    ),
  interchange: () =>
    table(
      ["kind", "PEFT", "pyreft", "merged"],
      merged(
        KINDS.map(([kind, { elsewhere }]) => ({
          kind,
          form: "",
          cells: [elsewhere.peft, elsewhere.pyreft, elsewhere.merged],
        })),
      ),
    ),
};

/** The names of the tables. */
export const TABLE_NAMES: readonly string[] = Object.keys(TABLES);

/** A page with its tables as they should be.  Throws: Error for a marker that names no table. */
export function withTables(page: string): string {
  return page.replace(
    /(<!-- npm run docs writes: (.+?) -->\n).*?(<!-- end -->)/gs,
    (_, begin: string, name: string, end: string) => {
      const made = TABLES[name];
      if (made === undefined) throw new Error(`no table is called ${name}`);
      return `${begin}\n${made()}\n\n${end}`;
    },
  );
}

/** Rows that say the same of several kinds, as one row each. */
function merged(
  rows: readonly { readonly kind: string; readonly form: string; readonly cells: readonly string[] }[],
): readonly (readonly string[])[] {
  const found = new Map<
    string,
    { readonly kinds: string[]; readonly form: string; readonly cells: readonly string[] }
  >();
  for (const { kind, form, cells } of rows) {
    const key = JSON.stringify([form, cells]);
    const row = found.get(key) ?? { kinds: [], form, cells };
    row.kinds.push(`\`${kind}\``);
    found.set(key, row);
  }
  return [...found.values()].map(({ kinds, form, cells }) => [`${kinds.join(", ")}${form}`, ...cells]);
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `|${cells.map((cell) => (cell === "" ? " " : ` ${cell.replaceAll("|", "\\|")} `)).join("|")}|`;
  return [line(headings), `|${"---|".repeat(headings.length)}`, ...rows.map(line)].join("\n");
}
