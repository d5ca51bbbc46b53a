/** The report of one peer: base, alone and swarm on its own held-out data, and what else was forgotten. */
import {
  counted,
  type LossFigure,
  type NeutralLosses,
  type ReportDocument,
  type ReportPeer,
  type ShownRecord,
} from "../../node/index.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { hadNoNeighbours, isWorseThanAlone } from "./comparison.ts";
import { forgettingSentence } from "./forgetting-table.ts";
import { roundTotals } from "./round-totals.ts";
import { formatLoss, formatShare, textTable } from "./text-table.ts";

/** All that is known of one peer. */
export interface PeerRecord extends ShownRecord {
  /** Peer id. */
  readonly id: string;
  readonly state: string;
  readonly manifest: NetworkManifest;
  /** Absent where it was not measured. */
  readonly neutral?: NeutralLosses | undefined;
  /** How training alone comes into the report where it is not in it, for people. */
  readonly aloneMissing: string;
}

/** The whole report as data. */
export function peerReport(record: PeerRecord): ReportDocument {
  const { id, state, manifest, network, rounds, scores, base, aloneRounds, forgetting, neutral } = record;
  const { count, localSteps } = manifest.rounds;
  const peer: ReportPeer = {
    ...{ name: "this peer", id, state, isWorse: isWorse(record) },
    ...(scores && { base: scores.base, alone: scores.alone, swarm: scores.swarm }),
    validation: { rounds, ...(base && { base }), ...(aloneRounds?.length && { alone: aloneRounds }) },
    ...(rounds.length > 0 && { forgetting }),
    ...(neutral && { neutral }),
    ...roundTotals(rounds),
  };
  return {
    schema: "weft-report/1",
    title: `weft: report of a peer in ${manifest.name}`,
    headline: headline(record),
    sentences: sentences(record).map((text) => ({ text, isAlarm: text.includes("WORSE") })),
    about: `after ${roundsDone(record)} of ${counted(count, "round")} of ${counted(localSteps, "local step")}`,
    facts: [
      ["network", network],
      ["peer", id],
      ["doing", state],
    ],
    peers: [peer],
    manifest: { ...manifest },
  };
}

const roundsDone = ({ rounds }: ShownRecord): number => (rounds.at(-1)?.round ?? -1) + 1;

const isWorse = ({ scores, rounds }: ShownRecord): boolean =>
  scores !== undefined &&
  isWorseThanAlone({ rounds, swarm: scores.swarm, ...(scores.alone && { alone: scores.alone }) });

/** Was it worth it; or why nobody can say yet. */
function headline(record: PeerRecord): string {
  const { scores, rounds, base } = record;
  if (rounds.length === 0) return "No round is done yet: there is nothing to compare.";
  if (scores?.alone !== undefined) {
    const gained = scores.alone.loss - scores.swarm.loss;
    const losses = `held-out loss ${spread(scores.alone)} alone, ${spread(scores.swarm)} in the swarm, ${spread(scores.base)} of the base model`;
    if (hadNoNeighbours({ rounds }))
      return `This peer had no neighbours, so it was in no swarm that could be worth anything: ${losses}.`;
    if (formatLoss(gained) === formatLoss(0))
      return `The swarm was as good for this peer as training alone: ${losses}.`;
    if (isWorse(record)) return `The swarm was WORSE for this peer than training alone: ${losses}.`;
    return `The swarm was better for this peer than training alone by ${formatLoss(gained)} nats per token: ${losses}.`;
  }
  const before = base === undefined ? "" : `, ${spread(base)} of the base model`;
  const last = rounds.at(-1);
  const now: LossFigure = { loss: last?.validationLoss ?? Number.NaN, interval: last?.validationInterval };
  return `Whether the swarm was worth it is not known without training alone. Held-out loss ${spread(now)} after round ${roundsDone(record)}${before}.`;
}

function sentences({ scores, aloneMissing, neutral }: PeerRecord): readonly string[] {
  return [
    ...(scores?.alone === undefined ? [aloneMissing] : []),
    ...(neutral === undefined ? [] : [neutralSentence(neutral)]),
  ];
}

/** What became of neutral text. */
function neutralSentence({ before, after, interval, texts }: NeutralLosses): string {
  const change = after - before;
  const words = `loss on ${counted(texts, "neutral sentence")} ${formatLoss(before)} before, ${formatLoss(after)} after`;
  if (Math.abs(change) <= interval)
    return `What no task is about is as well known as before: ${words} (± ${formatLoss(interval)}).`;
  const what = change > 0 ? "was forgotten in part" : "is known better than before";
  return `What no task is about ${what}: ${words} (${change < 0 ? "−" : "+"}${formatLoss(Math.abs(change))} ± ${formatLoss(interval)}).`;
}

const spread = ({ loss, interval }: LossFigure): string =>
  interval === undefined ? formatLoss(loss) : `${formatLoss(loss)} ± ${formatLoss(interval)}`;

/** Rows that a person reads; a document for programs has all rounds. */
const ROWS_MAX = 20;

/** The report in words and a table. */
export function peerReportLines(record: PeerRecord): readonly string[] {
  const { rounds, base, aloneRounds = [], forgetting, scores } = record;
  const document = peerReport(record);
  const alone = new Map(aloneRounds.map((one) => [one.round, one]));
  const every = Math.ceil(rounds.length / ROWS_MAX);
  const shown = rounds.filter((_, i) => i % every === 0 || i === rounds.length - 1);
  const columns = ["round", "base", "alone", "swarm"].map((heading) => ({ heading, numeric: true }));
  const rows = shown.map(({ round, validationLoss, validationInterval }) => [
    String(round + 1),
    base ? spread(base) : "–",
    spreadOr(alone.get(round)),
    spread({ loss: validationLoss, interval: validationInterval }),
  ]);
  return [
    document.about,
    ...(rows.length === 0
      ? []
      : [
          "loss on this peer's own validation data, nats per token, ± half of the 95 % interval:",
          "",
          ...textTable(columns, rows),
          "",
        ]),
    ...(scores === undefined ? [] : [...testLines(scores), ""]),
    ...(rounds.length === 0 ? [] : [`forgetting of own tasks: ${forgettingSentence(forgetting)}`]),
    ...document.sentences.map(({ text }) => text),
    document.headline,
  ];
}

const spreadOr = (figure: LossFigure | undefined): string => (figure === undefined ? "–" : spread(figure));

function testLines({ base, alone, swarm }: NonNullable<ShownRecord["scores"]>): readonly string[] {
  const columns = ["test data", "loss", "accuracy"].map((heading, i) => ({ heading, numeric: i > 0 }));
  const named = [
    ["base model", base],
    ["trained alone", alone],
    ["trained in the swarm", swarm],
  ] as const;
  const rows = named.flatMap(([name, score]) => (score ? [[name, spread(score), formatShare(score.accuracy)]] : []));
  return textTable(columns, rows);
}
