/** The end of a testnet run in plain text: a table, and in words who was worse off in the swarm. */
import { counted, PeerNames, type Score } from "../../node/index.ts";
import { hadNoNeighbours, isLessAccurateThanAlone } from "./comparison.ts";
import { forgettingLines } from "./forgetting-table.ts";
import { type CentralScores, isWorseOff, type TestnetPeer, type TestnetResult, totalsOf } from "./result.ts";
import { formatBytes, formatLoss, formatSeconds, formatShare, textTable } from "./text-table.ts";
import { formatWay, shareOfWay, waySentence } from "./way.ts";

/** Lines of the final table and the sentences below it. */
export function summaryLines(result: TestnetResult): string[] {
  const { peers, manifest } = result;
  const names = new PeerNames(peers.flatMap(({ view }) => view.peer ?? []));
  return [
    `network ${result.network}`,
    `${counted(peers.length, "peer")}, ${counted(manifest.rounds.count, "round")} of ${counted(manifest.rounds.localSteps, "local step")}, ${formatSeconds(result.seconds)} in all`,
    "held-out loss (nats per response token) and accuracy (response tokens) of the base model, of training alone with",
    "the same number of local steps on the same data, and of training in the swarm; central: one training with all data:",
    "",
    ...textTable(
      SCORE_COLUMNS,
      peers.map((peer, i) => scoreRow(peer, names, result.central?.peers[i])),
    ),
    "",
    ...textTable(COST_COLUMNS, peers.map(costRow)),
    "",
    ...sectionOf(forgettingLines(peers.map(({ name, view }) => ({ name, forgetting: view.forgetting })))),
    ...verdictSentences(result),
    ...headline(result),
  ];
}

/** How far the swarm went; the last line, because it is the one to remember. */
const headline = (result: TestnetResult): string[] => {
  const sentence = waySentence(result);
  return sentence === undefined ? [] : [sentence];
};

/** With an empty line behind it, where there is anything. */
const sectionOf = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : [...lines, ""]);

/** In words: who did worse in the swarm than alone, who had no neighbours, who did not finish, and what was cut short. */
export function verdictSentences(result: TestnetResult): string[] {
  const { peers } = result;
  const finished = peers.filter(({ view }) => view.report !== undefined);
  const lonely = finished.filter(({ view: { report } }) => report !== undefined && hadNoNeighbours(report));
  const compared = finished.filter((peer) => peer.view.report?.alone !== undefined && !lonely.includes(peer));
  const worse = compared.filter(isWorseOff);
  const sentences: string[] = [];
  if (compared.length > 0) {
    sentences.push(
      worse.length === 0
        ? `In the swarm, no peer ended with a held-out loss visibly higher than alone (${compared.length} of ${counted(peers.length, "peer")} compared).`
        : `WORSE in the swarm than alone by held-out loss: ${worse.map(lossPair).join(", ")}. Not worse: ${compared.length - worse.length} of ${compared.length}.`,
    );
    const lessAccurate = compared.filter(isLessAccurate);
    if (lessAccurate.length > 0)
      sentences.push(`Less accurate in the swarm: ${lessAccurate.map(accuracyPair).join(", ")}.`);
  }
  if (lonely.length > 0) {
    const names = lonely.map(({ name }) => name).join(", ");
    sentences.push(
      `Without neighbours, so not compared: ${names}. No update of another peer ever entered the aggregate there.`,
    );
  }
  for (const peer of peers) if (peer.exit) sentences.push(exitSentence(peer));
  if (result.interrupted) sentences.push("The run was interrupted before its end.");
  return sentences;
}

/** Which peers did not finish, for the line that explains the exit code; undefined when all did. */
export function unfinishedSentence({ peers }: TestnetResult): string | undefined {
  const unfinished = peers.filter(({ view }) => view.report === undefined);
  if (unfinished.length === 0) return undefined;
  return `${unfinished.length} of ${counted(peers.length, "peer")} did not finish: ${unfinished.map(({ name }) => name).join(", ")}`;
}

/** How a peer's process ended before the peer had finished, and why if it said so. */
export function exitSentence({ name, view, exit }: TestnetPeer): string {
  if (!exit) return `${name} is running`;
  const how = exit.signal ? `was ended by ${exit.signal}` : `ended with code ${exit.code ?? "unknown"}`;
  const reason = exit.lastLines.findLast((line) => line.startsWith(WEFT) || ERROR_LINE.test(line));
  const why = reason?.startsWith(WEFT) ? reason.slice(WEFT.length) : reason;
  return `${name} ${how} in round ${view.roundsDone + 1}, before it had finished${why ? `: ${why}` : ""}`;
}

/** What begins the one line of an expected failure. */
const WEFT = "weft: ";
/** What begins the first line of an error's stack, as Node.js prints it; all other lines are talk. */
const ERROR_LINE = /^(?:Uncaught |FATAL )?[\w$.]*(?:Error|Exception|ERROR)(?: \[\w+\])?(?:: |$)/;

function isLessAccurate({ view: { report } }: TestnetPeer): boolean {
  return report !== undefined && isLessAccurateThanAlone(report);
}

function lossPair({ name, view }: TestnetPeer): string {
  return `${name} (${formatLoss(view.report?.swarm.loss)} against ${formatLoss(view.report?.alone?.loss)})`;
}

function accuracyPair({ name, view: { report } }: TestnetPeer): string {
  return `${name} (${formatShare(report!.swarm.accuracy)} against ${formatShare(report!.alone!.accuracy)})`;
}

const SCORE_COLUMNS = [
  { heading: "peer", numeric: false },
  { heading: "id", numeric: false },
  ...["base", "alone", "swarm", "central", "way", "base acc", "alone acc", "swarm acc"].map((heading) => ({
    heading,
    numeric: true,
  })),
];

function scoreRow(
  { name, view }: TestnetPeer,
  names: PeerNames,
  central: CentralScores["peers"][number] | undefined,
): string[] {
  const { report } = view;
  const accuracy = (score: Score | undefined): string => (score ? formatShare(score.accuracy) : "–");
  return [
    name,
    view.peer ? names.short(view.peer) : "–",
    formatLoss(report?.base.loss),
    formatLoss(report?.alone?.loss),
    formatLoss(report?.swarm.loss),
    formatLoss(central?.loss),
    formatWay(report?.alone && central && peerWay(report.alone.loss, report.swarm.loss, central.loss)),
    accuracy(report?.base),
    accuracy(report?.alone),
    accuracy(report?.swarm),
  ];
}

const peerWay = (alone: number, swarm: number, central: number): number | undefined =>
  shareOfWay({ alone, swarm, central });

const COST_COLUMNS = [
  { heading: "peer", numeric: false },
  ...["sent", "received", "train", "network", "aggregate", "accepted", "ignored", "rejected"].map((heading) => ({
    heading,
    numeric: true,
  })),
];

/** Bytes, seconds by what they were spent on, and verdicts on the updates of others. */
function costRow({ name, view }: TestnetPeer): string[] {
  const { bytes, seconds, updates } = totalsOf(view);
  return [
    name,
    formatBytes(bytes.sent),
    formatBytes(bytes.received),
    formatSeconds(seconds.train),
    formatSeconds(seconds.network),
    formatSeconds(seconds.aggregate),
    String(updates.accepted),
    String(updates.ignored),
    String(updates.rejected),
  ];
}
