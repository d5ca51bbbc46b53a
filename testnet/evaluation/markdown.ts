/** The page of an evaluation: its settings, tables, plots, and the claims that hold. */
import { formatBytes } from "../words/text-table.ts";
import { formatWay } from "../words/way.ts";
import type { CheckedClaim } from "./checked-claim.ts";
import { amount } from "./claims.ts";
import { METRICS, type Metric } from "./metric.ts";
import { type PairedGain, SEEDS_MIN } from "./paired.ts";
import type { Plot } from "./plot.ts";
import type { SuiteResults } from "./run-table.ts";
import { type Split, splitName } from "./split.ts";
import { grouped, type Row, rowsOf, type Statistic } from "./summary-rows.ts";
import type { Suite } from "./table.ts";

/** Everything that the page shows. */
export interface PageParts {
  readonly results: readonly SuiteResults[];
  readonly plots: readonly Plot[];
  readonly claims: readonly CheckedClaim[];
  /** Why, for claims that do not hold. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Suites that were left out, each with the reason. */
  readonly skipped: readonly string[];
  /** Parts of the page that people wrote, from a second-level heading on; "" without any. */
  readonly notes: string;
  /** The command that made it. */
  readonly command: string;
}

/** Markdown in GitHub's flavour; plots are referred to as files beside it. */
export function pageOf({ results, plots, claims, reasons, skipped, notes, command }: PageParts): string {
  const measured = results.filter(({ cells }) => cells.length > 0);
  return `${[
    "# Evaluation",
    `Written by \`${command}\`; do not edit. Numbers for programs: [results.csv](results.csv).`,
    INTRODUCTION,
    `## How were the numbers made?\n\n${METHOD}`,
    "## Which claims hold here?",
    ...claims.filter(({ finding }) => finding !== "not measured").map((claim) => claimText(claim, reasons)),
    ...unmeasuredText(claims),
    ...measured.map((one) =>
      suiteText(
        one,
        plots.filter(({ name }) => name.startsWith(`${one.suite.name}-`)),
      ),
    ),
    ...missingText(measured, skipped),
    ...(notes.trim() === "" ? [] : [notes.trim()]),
    `## What do the columns mean?\n\n${COLUMNS}`,
  ].join("\n\n")}\n`;
}

const INTRODUCTION =
  "For anybody who chooses a method: how good is each of them, what does it cost, and which claims of the papers, and of weft itself, hold here?";

/** The divisions of data, in the words of split.ts. */
const SPLITS: Readonly<Record<Split["kind"], string>> = {
  iid: "tasks of one size, and everybody the same mixture",
  mixture:
    "tasks that differ in size up to eight times, and everybody a random share of all data, as in the Mixed Task of FedReFT",
  mixed: "half of everybody's data of a task of its own, a quarter of the next, the rest of all others",
  dirichlet: "each task's data shared out by a draw of that concentration",
  distinct: "everybody a task of its own",
};

const METHOD = [
  "* Peers are simulated in one process. Training, updates, verdicts and aggregation are those of the product. Every peer hears every other one in every round, unless a suite's title says otherwise.",
  "* Numbers are means over the peers, then mean ± standard deviation over the seeds. Below three seeds no spread is printed.",
  "* A learning rate is searched for each method on each division, with the same first grid of three rates, which goes on beyond its end while the best rate is an end.",
  "* Where a peer lies, all columns are over the same honest peers, the one without a liar too.",
  "* The swarm's validation loss chooses the learning rate of each method, on a seed that is in none of the results.",
  "* Test data are looked at once, at the end.",
].join("\n");

const COLUMNS = [
  "* **own**: the metric on the peer's own test set. **against alone**: by how much own is better than training the same kind of adapter alone, peer by peer and seed by seed, with the 95 % interval of the paired differences (Student's t) from three seeds on; peers of one network are not independent of each other, so that it is rather too narrow. **way**: the share of the way from training alone to all data in one place, of the means of the metric and of the loss over the seeds; in parentheses that of each seed, which is a ratio of two differences and swings widely where the way is short. **others**: the metric on the test sets of peers with other tasks. **worst**: own, of the peer with the worst value.",
  "* **last quarter**: the gain of the validation metric in the last quarter of the rounds; near zero where the curve has flattened.",
  "* **trained**, **sent**: the number of values of the adapter that a peer trains, and that it sends. **bytes**: the bytes that one peer sends in one round, its update to each of the others. **seconds**: processor time of one peer's training and aggregation in one run.",
].join("\n");

function claimText(
  { name, source, claim, finding, evidence }: CheckedClaim,
  reasons: Readonly<Record<string, string>>,
): string {
  const held = evidence.filter(({ holds }) => holds).length;
  const count = evidence.length === 0 ? "" : ` (${held} of ${evidence.length} settings)`;
  const reason =
    finding === "does not hold" && reasons[name] !== undefined ? `\n\nLikeliest reason: ${reasons[name]}` : "";
  const few = (seeds: number): string => (seeds < SEEDS_MIN ? `; too few seeds to decide: ${seeds}` : "");
  const lines = evidence.map(({ holds, text, seeds }) => `* ${holds ? "yes" : "no"}: ${text}${few(seeds)}`).join("\n");
  return `### ${capital(claim)}: ${finding}${count}\n\nSource: ${source}.${reason}${lines ? `\n\n${lines}` : ""}`;
}

function suiteText(results: SuiteResults, plots: readonly Plot[]): string {
  const { suite } = results;
  const rows = rowsOf(results);
  const images = plots.map(({ name, caption }) => `![${caption}](${name}.svg)`);
  const body = suite.attacks === undefined ? settingsText(suite, rows) : [robustTable(suite, rows)];
  return [`## ${suite.title}`, suiteFacts(results), ...body, ...images].join("\n\n");
}

function suiteFacts({ suite, cells, learningRates }: SuiteResults): string {
  const { data, base, sizes, seeds, rounds, localSteps, tuning } = suite;
  const splits = suite.splits.map(splitName).join(", ");
  const ends = [...learningRates].filter(([, { isEnd }]) => isEnd).map(([place, { rate }]) => `${place} ${rate}`);
  const commits = [...grouped(cells, ({ result }) => result.commit ?? "unknown")].map(
    ([commit, those]) => `${commit} (${those.length} cells)`,
  );
  return [
    `Data: ${data} on the base model ${base}; ${sizes.train} examples to train, ${sizes.validation} to validate, ${sizes.test} to test for each peer; ${splits}; seeds ${seeds.join(", ")}; ${rounds} rounds of ${localSteps} local steps. Metric: ${METRICS[data].name}.`,
    [...new Set(suite.splits.map(({ kind }) => kind))].map((kind) => `* ${kind}: ${SPLITS[kind]}.`).join("\n"),
    `Learning rates: ${tuning ? `chosen with ${tuning.peers} peers on seed ${tuning.seed}` : "the first of each grid"}.${ends.length > 0 ? ` Still at an end of what was tried: ${ends.join("; ")}.` : ""}`,
    `Computed by the program of commit ${commits.join(", ")}.`,
  ].join("\n");
}

function settingsText(suite: Suite, rows: readonly Row[]): string[] {
  const metric = METRICS[suite.data];
  const groups = grouped(rows, ({ split, peers }) => `${split}, ${peers} peers`);
  return [...groups].map(([label, group]) => `### ${capital(label)}\n\n${methodTable(metric, group)}`);
}

function methodTable(metric: Metric, rows: readonly Row[]): string {
  const of = (statistic: Statistic): string => plusMinus(metric, statistic);
  const sent = (row: Row, text: string): string => (row.updateBytes === 0 ? "–" : text);
  const columns: readonly (readonly [string, (row: Row) => string])[] = [
    ["method", ({ title }) => title],
    ["seeds", ({ seeds }) => String(seeds)],
    ["rate", ({ learningRate }) => String(learningRate)],
    ["own", ({ own }) => of(own)],
    ["against alone", ({ gain }) => gainText(metric, gain)],
    ["way", (row) => wayText(row)],
    ["way in nats", ({ lossWay }) => formatWay(lossWay)],
    ["others", ({ others }) => of(others)],
    ["worst", ({ worst }) => of(worst)],
    ["nats", ({ ownLoss }) => plusMinus(LOSS, ownLoss)],
    ["last quarter", ({ lastQuarter }) => amount(metric, lastQuarter.mean)],
    ["lambda", (row) => sent(row, row.lambda.mean.toFixed(2))],
    ["trained", ({ trainedParameters }) => String(trainedParameters)],
    ["sent", (row) => sent(row, String(row.sentParameters))],
    ["bytes", (row) => sent(row, formatBytes(row.bytesPerRound))],
    ["seconds", ({ seconds }) => seconds.mean.toFixed(1)],
  ];
  const scored = rows.some(({ others }) => Number.isFinite(others.mean));
  const shown = columns.filter(([name]) => scored || name !== "others");
  return markdownTable(
    shown.map(([name]) => name),
    rows.map((row) => shown.map(([, of]) => of(row))),
  );
}

/** The way, and from two seeds on that of each: means hide how far apart seeds are. */
function wayText({ way, ways = [] }: Row): string {
  const each = ways.map((one) => formatWay(one).replace(" %", ""));
  return `${formatWay(way)}${each.length > 1 ? ` (${each.join(", ")})` : ""}`;
}

/** Methods by attacks: own-task metric of the honest peers. */
function robustTable(suite: Suite, rows: readonly Row[]): string {
  const metric = METRICS[suite.data];
  const attacks = suite.attacks!;
  const titles = new Map(rows.map(({ method, title }) => [method, title]));
  const lines = [...titles].map(([method, title]) => [
    title,
    ...attacks.map((attack) => {
      const row = rows.find((one) => one.method === method && one.attack === attack);
      return row ? plusMinus(metric, row.own) : "–";
    }),
  ]);
  return `One of the peers lies. The table has the own-task metric of the honest peers.\n\n${markdownTable(["method", ...attacks], lines)}`;
}

function plusMinus(metric: Pick<Metric, "unit">, { mean, deviation, count }: Statistic): string {
  if (!Number.isFinite(mean)) return "–";
  const number = (value: number): string => (metric.unit === "share" ? (100 * value).toFixed(1) : value.toFixed(3));
  const spread = count < SEEDS_MIN ? "" : ` ± ${number(deviation)}`;
  return `${number(mean)}${spread}${metric.unit === "share" ? " %" : ""}`;
}

/** Losses are nats whatever a suite is ranked by. */
const LOSS = { unit: "nats" } as const;

/** What is gained over training alone: the mean and, from three seeds on, its interval. */
function gainText(metric: Metric, gain: PairedGain | undefined): string {
  if (gain === undefined) return "–";
  const [scale, digits] = metric.unit === "share" ? [100, 1] : [1, 3];
  const number = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(scale * value).toFixed(digits)}`;
  const { mean, half } = gain;
  return half === undefined ? number(mean) : `${number(mean)} [${number(mean - half)}, ${number(mean + half)}]`;
}

function markdownTable(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = header.map((_, i) => (i === 0 ? "---" : "---:"));
  return [line(header), line(rule), ...lines.map(line)].join("\n");
}

/** One line for the claims that no cell says anything about. */
function unmeasuredText(claims: readonly CheckedClaim[]): readonly string[] {
  const names = claims.filter(({ finding }) => finding === "not measured").map(({ claim }) => `* ${claim}`);
  return names.length === 0 ? [] : ["### Not measured by this program", names.join("\n")];
}

/** What the table asks for and nobody has computed, division by division, and the suites that were left out. */
function missingText(results: readonly SuiteResults[], skipped: readonly string[]): readonly string[] {
  const lines = results.flatMap(({ suite, cells }) =>
    suite.peers.flatMap((peers) =>
      suite.splits.flatMap((split) => {
        const there = cells.filter(({ cell }) => splitName(cell.split) === splitName(split) && cell.peers === peers);
        const missing = suite.methods.flatMap((name) => {
          const seeds = suite.seeds.filter(
            (seed) => !there.some(({ cell }) => cell.method.name === name && cell.seed === seed),
          );
          if (seeds.length === 0) return [];
          return [seeds.length === suite.seeds.length ? name : `${name} (seeds ${seeds.join(", ")})`];
        });
        const label = `${suite.name}, ${splitName(split)}, ${peers} peers`;
        return missing.length === 0 ? [] : [`${label}: ${missing.join(", ")}`];
      }),
    ),
  );
  const all = [...lines, ...skipped];
  return all.length === 0 ? [] : ["## What is missing?", all.map((line) => `* ${line}`).join("\n")];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
