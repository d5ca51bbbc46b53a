/** `weft status`: where a peer is. */

import {
  counted,
  dataDirectoryLayout,
  type EgressSummary,
  isCopyInUse,
  lockHolder,
  NodeError,
  PeerNames,
  type PeerView,
  recordDoor,
  restingView,
} from "../../../node/index.ts";
import { forgettingSentence } from "../../../testnet/words/forgetting-table.ts";
import { endingWords, needsSentence } from "../../../testnet/words/live-view.ts";
import { labelText, peerName, withName } from "../../../testnet/words/peer-name.ts";
import { formatLoss, formatShare } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonLine, jsonText } from "../../json.ts";
import { DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import type { PeerStatus } from "../../status-file.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";

/** The row of `weft status`, and what it runs. */
export const statusCommand: CommandRow = {
  name: ["status"],
  text: "Show what a peer is doing, or where it stopped. A running peer says it itself (its admin interface); a stopped one has left it in its files.",
  options: [
    DATA_DIR,
    JSON_OUTPUT,
    {
      flags: "--watch",
      text: "go on showing a running peer until it ends or Ctrl-C: drawn over on a terminal, a line for each change elsewhere, a line of JSON with --json",
    },
  ],
  staysOnWith: "watch",
  endsInOrder: true,
  example: "weft status --data-dir alice",
  json: {
    schema: "weft-status/1",
    network: "the network's id",
    rounds: "number of its rounds",
    process: "id of the process",
    ended: "whether it ended in an orderly way",
    "failure?": "what ended it where it failed",
    updatedAt: "when this was so",
    view: "all that the peer tells of itself",
    running: "whether it runs",
    "starting?": "the process that has the directory open and has not told anything yet",
    "egress?": "as weft egress verify prints it; absent where the record is damaged",
  },
  run,
};

async function run(
  options: { readonly dataDir?: string; readonly json?: boolean; readonly watch?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { fromStatusFile, isRunning, readStatus } = await import("../../status-file.ts");
  const { runningStatus, servesAdmin } = await import("../../running-peer.ts");
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  if (options.watch) {
    const { watchStatus } = await import("../../watch-status.ts");
    const { json = false } = options;
    const linesOf = (status: PeerStatus): readonly string[] => lines(status, "running", "unread");
    const isSeen = await watchStatus(terminal, { folder, json, linesOf });
    if (terminal.signal.aborted) return stoppedCode(terminal.signal);
    terminal.err(
      isSeen ? "the peer has ended\n" : "no peer runs there that could be watched; this is where it stopped\n",
    );
  }
  const isCopy = await isCopyInUse(dataDirectoryLayout(folder).lock);
  if (isCopy) terminal.err(`${COPY_WORDS}\n`);
  const told = await runningStatus(folder);
  const holder = told === undefined ? await lockHolder(dataDirectoryLayout(folder).lock) : undefined;
  const written = told ?? (await readStatus(folder).catch((error: unknown) => sayStarting(error, folder, holder)));
  // Of a killed one the number may be another process's by now; the lock knows the very process.
  const running = told !== undefined || (isRunning(written) && holder?.isThere !== false);
  const starting = !running && holder?.isThere === true ? holder.process : undefined;
  const read = <T>(work: () => T): T => (told === undefined ? fromStatusFile(folder, work) : work());
  const status = running ? written : { ...written, view: read(() => restingView(written.view)) };
  const egress = await egressOf(folder);
  // After lines of JSON the last one is a line, too.
  const textOf = options.watch ? jsonLine : jsonText;
  if (options.json) terminal.out(textOf({ ...status, running, ...(starting !== undefined && { starting }), egress }));
  else {
    if (starting !== undefined) terminal.err(`${startingWords(starting)}; this is how it was before\n`);
    const isSilent = running && told === undefined && (await servesAdmin(folder));
    const process = processState({ isCopy, running, isSilent });
    terminal.out(`${read(() => lines(status, process, egress)).join("\n")}\n`);
  }
  return EXIT_OK;
}

const COPY_WORDS =
  "this directory is a copy of one whose peer runs, and was made while it did; this is where it was then: name that directory to see where it is";

const startingWords = (id: number): string =>
  `process ${id} has the directory open and has not told anything yet: a peer that starts, or a command at work`;

/** Throws: the error; of a peer that has never told where it is, that it starts. */
function sayStarting(
  error: unknown,
  folder: string,
  holder: { readonly process: number; readonly isThere: boolean } | undefined,
): never {
  if (holder?.isThere !== true || !(error instanceof NodeError)) throw error;
  throw new NodeError(
    "DATA_DIRECTORY",
    `${startingWords(holder.process)}; ask again in a moment`,
    { folder },
    { cause: error },
  );
}

/** Of the peer's process; silent where it is there and does not answer, as one that is frozen or held by long work. */
type ProcessState = "running" | "silent" | "stopped" | "copied";

function processState(found: {
  readonly isCopy: boolean;
  readonly running: boolean;
  readonly isSilent: boolean;
}): ProcessState {
  if (found.isCopy) return "copied";
  if (!found.running) return "stopped";
  return found.isSilent ? "silent" : "running";
}

/** egress: "unread" where nobody has looked at the ledger; undefined where it is damaged. */
function lines(
  status: PeerStatus,
  state: ProcessState,
  egress: EgressSummary | "unread" | undefined,
): readonly string[] {
  const { view, network, rounds, process: id, ended, failure, updatedAt } = status;
  const last = view.rounds.at(-1);
  const { accepted, ignored, rejected } = view.updates;
  const processWords: Readonly<Record<ProcessState, string>> = {
    running: `${id}, running`,
    copied: `${id}, which runs in another directory`,
    silent: `${id}, there, but it does not answer: it stands still, or is held up; this is what it wrote last`,
    stopped: ended
      ? failure === undefined
        ? "stopped"
        : `ended: ${failure}`
      : "not running (it was killed, or the machine stopped)",
  };
  const rows: [string, string | 0 | undefined][] = [
    ["peer", view.peer],
    ["network", network],
    ["process", processWords[state]],
    ["as of", updatedAt],
    ["doing", view.pausedBecause && view.state === "paused" ? `paused: ${view.pausedBecause}` : view.state],
    ["lacks", view.lacks && needsSentence(view.lacks)],
    ["round", `${view.roundsDone} of ${rounds} done`],
    ["step", view.steps > 0 ? `${view.step} of ${view.steps}` : undefined],
    ["neighbours", view.aloneSince === undefined ? String(view.neighbours) : `none since ${view.aloneSince}`],
    ...(view.neighbours > 0 ? [] : view.unreachable).map(unreachableRow),
    ["role", view.roster && (view.roster.role === "none" ? "no member" : view.roster.role)],
    [
      "roster",
      view.roster &&
        `${counted(view.roster.members, "member")}, ${counted(view.roster.entries, "entry", "entries")}, head ${view.roster.digest.slice(0, 16)}`,
    ],
    ...(view.requests ?? []).map(({ peer, label, fingerprint, motion }): [string, string] => [
      "asks",
      `${labelText(label)}, ${peer}, fingerprint ${fingerprint}; weft members approve ${motion.slice(0, 12)}`,
    ]),
    ["ends", view.endings?.membership && endingWords("membership", view.endings.membership)],
    ["admins", view.endings?.quorum && endingWords("quorum", view.endings.quorum)],
    ["updates", `${accepted} accepted, ${ignored} ignored, ${rejected} rejected`],
    ["event loop", view.loop && loopLine(view.loop)],
    [
      "egress",
      egress === "unread" ? undefined : egress ? egressLine(egress) : "the record is damaged; see weft egress verify",
    ],
    ["privacy", privacyLine(status)],
    ["loss", `${formatLoss(view.loss)} in the newest step`],
    ["validation", last && `${formatLoss(last.validationLoss)} after round ${last.round + 1}`],
    ["forgetting", view.forgetting && forgettingSentence(view.forgetting)],
    ...scoreRows(view.scores ?? []),
    ["base", view.report && `held-out loss ${formatLoss(view.report.base.loss)}`],
    [
      "swarm",
      view.report &&
        `held-out loss ${formatLoss(view.report.swarm.loss)}, accuracy ${formatShare(view.report.swarm.accuracy)}`,
    ],
    ["addresses", view.addresses.join(" ") || undefined],
  ];
  return rows.flatMap(([title, text]) => (!text ? [] : [`${title.padEnd(11)} ${text}`]));
}

/** What each neighbour's updates alone do to this peer's held-out loss. */
function scoreRows(scores: NonNullable<PeerView["scores"]>): readonly [string, string][] {
  const names = new PeerNames(scores.map(({ peer }) => peer));
  return scores.map(({ peer, label, gain, interval, looks }, index) => {
    const change = `${gain < 0 ? "harms by" : "helps by"} ${Math.abs(gain).toFixed(3)}`;
    const spread = interval === undefined ? "" : ` ± ${interval.toFixed(3)}`;
    const text = `${peerName(names, peer, label)} ${change}${spread} nats per token in ${counted(looks, "look")}`;
    return [index === 0 ? "scores" : "", text];
  });
}

const unreachableRow = ({ address, label, reason, failures }: PeerView["unreachable"][number]): [string, string] => [
  "",
  `cannot reach ${withName(address, label)}: ${reason} (${counted(failures, "time")})`,
];

/** What left the peer; undefined where its record is damaged. */
async function egressOf(folder: string): Promise<EgressSummary | undefined> {
  const { checkedRecords, summarizeEgress, egressLines } = await recordDoor();
  try {
    return await summarizeEgress(checkedRecords(egressLines(dataDirectoryLayout(folder).egress)));
  } catch (error) {
    if (error instanceof NodeError && error.code === "EGRESS_LEDGER") return undefined;
    throw error;
  }
}

const egressLine = ({ messages, bytes, recipients }: EgressSummary): string =>
  `${counted(messages, "message")}, ${counted(bytes, "byte")} to ${counted(recipients, "peer")}`;

function loopLine({ p99Ms, holds, longest }: NonNullable<PeerView["loop"]>): string {
  const lag = `99 % of timers within ${p99Ms} ms`;
  if (longest === undefined) return `${lag}, never held for long`;
  const { handler, ms, processorMs } = longest;
  const worked = processorMs === undefined ? "" : ` (${processorMs} ms of processor time)`;
  return `${lag}, held ${counted(holds, "time")}, the longest ${ms} ms${worked} by ${handler === "unnamed" ? "work without a name" : handler}`;
}

function privacyLine({ view: { privacy } }: PeerStatus): string | undefined {
  if (privacy === undefined) return undefined;
  const { mode, spent, epsilon, delta, sending } = privacy;
  const rest = sending ? "sending" : "spent: receives only";
  return `epsilon ${spent.toFixed(3)} of ${epsilon} at delta ${delta}, by ${mode}; ${rest}`;
}
