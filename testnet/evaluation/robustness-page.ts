/** The page that `npm run attack` writes: what every attack takes from the honest peers, and what was not computed yet. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";
import { wordOfSettings } from "../../protocol/settings/variant-word.ts";
import { meanOf } from "./cell.ts";
import type { OneRoundRow } from "./one-round.ts";
import type { OneRoundCell, OneRoundResult } from "./one-round-table.ts";
import type { KeptResult } from "./result-files.ts";
import { type AttackFigures, attackFigures, isHeld, LOST_MAX, WORST_MAX } from "./robustness.ts";
import type { SuiteResults } from "./run-table.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

/** What the page is made of. */
export interface RobustnessPage {
  readonly results: readonly SuiteResults[];
  /** Cells that each suite asks for, those that are not there included. */
  readonly wanted: (suite: Suite) => number;
  readonly methods: readonly DeclaredMethod[];
  /** Single aggregations, and how many cells of them there are to be. */
  readonly oneRounds: readonly (OneRoundResult & OneRoundCell)[];
  readonly oneRoundsWanted: number;
  readonly command: string;
}

/** The page as Markdown. Suites of which nothing was computed are named at the end. */
export function robustnessPage(page: RobustnessPage): string {
  const { results, methods, oneRounds, command } = page;
  const titleOf = (name: string): string => methods.find((one) => one.name === name)?.title ?? name;
  const parts = results.map((one) => ({ ...one, figures: attackFigures(one) }));
  const shown = parts.filter(({ figures }) => figures.length > 0);
  return [
    INTRODUCTION,
    `\`${command}\` writes this page, and goes on where it stopped. ${commitsSentence([...results.flatMap(({ cells }) => cells.map(({ result }) => result)), ...oneRounds])}`,
    ...shown.flatMap((one) => suiteLines(one, titleOf)),
    ...oneRoundLines(oneRounds),
    ...missingLines(page),
    "",
  ].join("\n\n");
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const INTRODUCTION = `# What liars can do

For anybody who sets up a network: how much do f lying peers of n take from the honest ones, under which settings?

Every peer hears every other one in every round; the last f of them lie, all in the same way, and know what the honest
peers send before they send their own. [The attacks](../testnet/evaluation/attack.ts) have an equation each. The product's own
code trains, signs, judges and aggregates. The peers learn the embedded tasks, equally divided, on the embedded model. What is called
a new network has the adapter, the learning rate and the schedule that weft chooses for this model and questions with answers, in all four
blocks. The other groups have one kind of adapter on the last block alone, so that a cell takes seconds.

* **lost**: the share of the honest peers' gain over training alone that the attack takes. The gain is that of the same
  honest peers without the liars. Below 0 they end better with the liars among them. Behind ± stands the standard error over the
  honest peers of one run, which learn from each other: it says how alike they fare, and nothing of other runs.
* **worst**: by how much the honest peer that fares worst ends above its own held-out loss when it trains alone.
* **refused**: rounds in which a peer kept its own adapter because the aggregate would have ruined it.
* **held**: whether at most ${percent(LOST_MAX)} is lost, no peer ends more than ${percent(WORST_MAX)} worse than alone, none
  ends early and none is blamed for what an honest one sent.

A rule that needs more neighbours than there are gives way to the geometric median: \`multi-krum:3\` does so in the runs without the
liars, which have seven neighbours. A commit marked \`-dirty\` had changes that were not committed, such as this page.

Two attacks were made for the shipped rule by somebody who knows it: \`hinder\` holds back as much as passes its looks at values, and
\`undo\` turns the newest training back, which a judge of losses sees least. With them the figures say what is left to liars, and not what
they are held to. \`vetted-mean:0\` is the rule without its tries on held-out data ([the decision](decisions/0006-leave-out.md)).

All losses are on test examples that no choice looked at. Differences of a few percent of the gain are chance: an attack that
takes less than nothing shows how large they are.

With the adapter of a new network, in all blocks, peers that train alone end better than with the other adapters here, so that a swarm gains less
over them, and what liars take is a larger share of that. On unequal data (Dirichlet 0.5) the aim is not met: liars that pass the looks at values take more than
\`lost\` allows, and one of the eight honest peers ends worse than alone, with liars and without.
On unequal data and with Tri-LoRA nearly all honest peers lose, and not single ones: the liars change how far the whole swarm comes in its six
rounds. Where an attack helps as much as another one harms, the figures are chance.

The tries on held-out data are in sixteen groups where nothing else is said, so that each of nine neighbours is tried by itself. In eight
(\`vetted-mean:8\`) two of them are tried together: with the adapter of a new network liars take more then, and with LoRA on unequal data and
Tri-LoRA those that know the rule take less.`;

/** The states of the program that the cells are of. */
function commitsSentence(results: readonly KeptResult[]): string {
  const counts = new Map<string, number>();
  const seen = new Set<unknown>();
  for (const result of results) {
    if (seen.has(result.key)) continue;
    seen.add(result.key);
    const commit = result.commit ?? "a state that is not known";
    counts.set(commit, (counts.get(commit) ?? 0) + 1);
  }
  const list = [...counts].sort().map(([commit, count]) => `${count} of ${commit}`);
  return list.length === 0
    ? "No cell was computed yet."
    : `Cells by the commit that computed them: ${list.join(", ")}.`;
}

function suiteLines(
  { suite, cells, figures }: SuiteResults & { readonly figures: readonly AttackFigures[] },
  titleOf: (name: string) => string,
): string[] {
  const names = [...new Set(figures.map(({ method }) => method))];
  const body = names.length === 1 ? [attackTable(figures)] : [lostTable(figures, names, titleOf), heldLine(figures)];
  const methods = cells.map(({ cell }) => cell.method).filter(({ name }) => name === names[0]);
  const what = names.length === 1 ? [`${methodWords(titleOf(names[0]!), methods[0]!)}.`] : [];
  return [`## ${suite.title}`, ...what, ...body];
}

/** Of a shipped method also what the recipe made of it, in the words of the command line; the title says the rest. */
function methodWords(title: string, { adapter, learningRates, shipped }: DeclaredMethod): string {
  if (!shipped) return title;
  return `${title}: \`${adapterWord(adapter)}\`, learning rate ${learningRates![0]}`;
}

const adapterWord = (adapter: AdapterSettings): string =>
  adapter.kind === "combination"
    ? `${adapterWord(adapter.lora)}+${adapterWord(adapter.reft)}`
    : wordOfSettings(ADAPTERS, adapter);

/** A row for each attack and number of liars, with all that is known of it. */
function attackTable(figures: readonly AttackFigures[]): string {
  const rows = figures.map((one) => {
    const { attack, peers, liars, alone, clean, attacked, worst, worstClean, refused } = one;
    const losses = [alone, clean, attacked].map((loss) => loss.toFixed(3));
    const words = [
      attack,
      `${liars} of ${peers}`,
      ...losses,
      `${lostWord(one)}${one.lostError > 0 ? ` ± ${percent(one.lostError)}` : ""}`,
      percent(worst),
      percent(worstClean),
      refused,
    ];
    return [...words, isHeld(one) ? "yes" : "**no**"];
  });
  const sorted = rows.sort((a, b) => Number.parseInt(`${a[1]}`, 10) - Number.parseInt(`${b[1]}`, 10));
  const head = ["attack", "liars", "alone", "clean", "attacked", "lost", "worst", "worst, clean", "refused", "held"];
  return table(head, sorted);
}

/** A row for each method: what each attack takes of the gain, and the worst of all peers under any attack. */
function lostTable(
  figures: readonly AttackFigures[],
  names: readonly string[],
  titleOf: (name: string) => string,
): string {
  const attacks = [...new Set(figures.map(({ attack }) => attack))];
  const rows = names.map((name) => {
    const own = figures.filter(({ method }) => method === name);
    const gain = meanOf(own.map(({ alone, clean }) => alone - clean));
    const cells = attacks.map((attack) => {
      const one = own.find((each) => each.attack === attack);
      return one === undefined ? "" : lostWord(one);
    });
    return [titleOf(name), gain.toFixed(3), ...cells, percent(Math.max(...own.map(({ worst }) => worst)))];
  });
  return table(["method", "gain, nats", ...attacks, "worst peer"], rows);
}

function heldLine(figures: readonly AttackFigures[]): string {
  const sum = (of: (one: AttackFigures) => number): number => figures.reduce((total, one) => total + of(one), 0);
  const held = figures.filter(isHeld).length;
  return `${held} of ${figures.length} held; ${sum(({ refused }) => refused)} aggregates refused, ${sum(({ exits }) => exits)} peers ended early, ${sum(({ blamed }) => blamed)} honest updates blamed.`;
}

function lostWord({ lost, worst, exits }: AttackFigures): string {
  const word = Number.isNaN(lost) ? "no gain" : Number.isFinite(lost) ? percent(lost) : "all";
  return lost > LOST_MAX || worst > WORST_MAX || exits > 0 ? `**${word}**` : word;
}

/** One aggregation under every rule: all attacks for each kind, and each number of liars, in two figures a rule. */
function oneRoundLines(oneRounds: RobustnessPage["oneRounds"]): string[] {
  if (oneRounds.length === 0) return [];
  const [first] = oneRounds as [RobustnessPage["oneRounds"][number]];
  const attacks = [...new Set(first.rows.map(({ attack }) => attack))];
  const rules = [...new Set(first.rows.map(({ rule }) => rule))];
  const matrix = rules.map((rule) => {
    const own = first.rows.filter((row) => row.rule === rule);
    return [rule, (own[0]!.own - own[0]!.clean).toFixed(3), ...attacks.map((one) => rowWord(own, one))];
  });
  const summary = rules.map((rule) => [
    rule,
    ...oneRounds.map(({ rows }) => {
      const own = rows.filter((row) => row.rule === rule);
      if (own.length === 0) return "";
      const losses = own.map(lostInOneRound);
      return `${losses.filter((lost) => lost <= LOST_MAX).length}/${own.length}, ${percent(Math.max(...losses))}`;
    }),
  ]);
  const heldBy = rules.map((rule) => ({
    rule,
    held: first.rows.filter((row) => row.rule === rule && lostInOneRound(row) <= LOST_MAX).length,
  }));
  const most = heldBy.reduce((best, one) => (one.held > best.held ? one : best));
  const heads = oneRounds.map(({ kind, peers, liars }) => `${kind}, ${liars} of ${peers}`);
  return [
    "## One aggregation under every rule",
    ONE_ROUND_TEXT,
    `${first.kind}, ${first.liars} of ${first.peers} lie:`,
    table(["rule", "gain, nats", ...attacks], matrix),
    `Most attacks are held off by \`${most.rule}\`: ${most.held} of ${attacks.length}.`,
    "Every kind and number: attacks that take at most 5 % of the gain, and the most that any attack takes.",
    table(["rule", ...heads], summary),
  ];
}

const ONE_ROUND_TEXT = `After three rounds among themselves the honest peers aggregate once more, with the liars and without. The gain is by how
much the even mix without the liars lowers the held-out loss of three peers; the figures are the share of it that the attack takes.
Above 100 % the mix is worse than the own adapter. A mix that would be refused counts as the own adapter: 100 %. No judge of the
mix is in between, so that these figures are the rules' alone. Where a kind gains little in a round, the share of it says little.`;

const lostInOneRound = ({ own, clean, attacked }: OneRoundRow): number => (attacked - clean) / (own - clean);

function rowWord(rows: readonly OneRoundRow[], attack: string): string {
  const row = rows.find((one) => one.attack === attack);
  if (row === undefined) return "";
  const lost = lostInOneRound(row);
  return lost > LOST_MAX ? `**${percent(lost)}**` : percent(lost);
}

/** The cells of each suite that are still to be computed; nothing where all are there. */
function missingLines({ results, wanted, oneRounds, oneRoundsWanted }: RobustnessPage): string[] {
  const rows = [
    ...results.map(({ suite, cells }) => [suite.title, `${cells.length}`, `${wanted(suite) - cells.length}`]),
    ...(oneRoundsWanted > 0
      ? [["One aggregation under every rule", `${oneRounds.length}`, `${oneRoundsWanted - oneRounds.length}`]]
      : []),
  ];
  const missing = rows.filter(([, , count]) => count !== "0");
  if (missing.length === 0) return [];
  return ["## What is missing", table(["suite", "cells that are there", "missing"], missing)];
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|`, ...rows.map(line)].join("\n");
}
