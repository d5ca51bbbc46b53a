/** The dashboard and the alert rules of docs/monitoring against what a peer exports. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { createMetricsPage } from "../system/http/metrics-page.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createLogger } from "../system/platform/log.ts";
import { PEER_METRICS } from "./metric-rows.ts";

const folder = join(dirname(dirname(import.meta.dirname)), "docs", "monitoring");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(read("weft-dashboard.json")) as { readonly panels: readonly Panel[] };
const panels = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
const alerts = [...read("weft-alerts.yml").matchAll(/- alert: (\w+)\n +expr: '((?:[^']|'')*)'/g)].map(
  ([, name = "", expr = ""]) => [name, expr.replaceAll("''", "'")] as const,
);

/** Words of PromQL that are no names of figures. */
const FUNCTIONS = new Set("and or by le sum rate increase time histogram_quantile".split(" "));
/** Labels that Prometheus adds by itself, and those of histograms. */
const COMMON_LABELS = ["instance", "job", "le"];

/** The names of figures in a query, and of the labels that it chooses or sums by. */
function namesIn(query: string): { readonly figures: readonly string[]; readonly labels: readonly string[] } {
  const chosen = [...query.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = ""]) =>
    [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
  );
  const summed = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = ""]) => inside.split(/,\s*/));
  const rest = query
    .replace(/\{[^}]*\}/g, "")
    .replace(/\bby \([^)]*\)/g, "")
    .replace(/\[\w+\]/g, "");
  const words = [...rest.matchAll(/[a-zA-Z_]\w*/g)].map(([word]) => word).filter((word) => !/^e\d+$/.test(word));
  return { figures: words.filter((word) => !FUNCTIONS.has(word)), labels: [...chosen, ...summed] };
}

let exported: ReadonlySet<string>;
const labelsOf = new Map<string, readonly string[]>();
beforeAll(async () => {
  const names = new Set<string>(["up"]);
  // With a value for each, so that those with labels are written.
  const text = await createMetricsPage(PEER_METRICS).text();
  for (const [, name = "", kind] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (kind === "histogram") for (const part of ["bucket", "sum", "count"]) names.add(`${name}_${part}`);
    else names.add(name);
  }
  for (const row of PEER_METRICS) {
    for (const suffix of ["", "_bucket", "_sum", "_count"])
      labelsOf.set(`${row.name}${suffix}`, "labels" in row ? row.labels : []);
  }
  for (const [name, labels] of await libp2pFigures()) {
    names.add(name);
    labelsOf.set(name, labels);
  }
  exported = names;
});

/** What libp2p exports once it has started, with its labels; here it listens nowhere. */
async function libp2pFigures(): Promise<ReadonlyMap<string, readonly string[]>> {
  const logger = createLogger({ level: "silent" });
  const limits = { connectionsMax: 8, streamsPerProtocolMax: 8, gossipBytesMax: 1024 };
  const transport = await createLibp2pTransport(
    { logger },
    { seed: new Uint8Array(32).fill(7), listen: [], ...limits },
  );
  await transport.start();
  const text = await transport.figures();
  await transport.stop();
  // libp2p calls the label of most of its figures nothing, which is "name" here.
  const known = [...text.matchAll(/^# TYPE (libp2p_\w+) /gm)].map(([, name = ""]) => [name, ["name"]] as const);
  return new Map<string, readonly string[]>([...known, ["libp2p_protocol_streams_total", ["protocol"]]]);
}

describe.each([
  ["dashboard", panels],
  ["alert rules", alerts],
] as const)("the %s", (_, queries) => {
  it("has queries", () => {
    expect(queries.length).toBeGreaterThan(10);
  });

  it.each(queries)("%s asks for what a peer exports", (_, query) => {
    const { figures, labels } = namesIn(query);
    expect(figures.length).toBeGreaterThan(0);
    expect(figures.filter((name) => !exported.has(name))).toEqual([]);
    const known = new Set([...COMMON_LABELS, ...figures.flatMap((name) => labelsOf.get(name) ?? [])]);
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });
});

it("a query for something else is found", () => {
  expect(namesIn('sum by (kind) (rate(weft_nothing_total{way=~"a|b"}[5m])) / weft_round > 1e9')).toEqual({
    figures: ["weft_nothing_total", "weft_round"],
    labels: ["way", "kind"],
  });
});

it("every figure of a peer is shown or watched, but those that only name things", () => {
  const used = new Set([...panels, ...alerts].flatMap(([, query]) => namesIn(query).figures));
  const unused = PEER_METRICS.map(({ name }) => name).filter(
    (name) => ![name, `${name}_bucket`, `${name}_sum`].some((one) => used.has(one)),
  );
  expect(unused).toEqual(["weft_info"]);
});
