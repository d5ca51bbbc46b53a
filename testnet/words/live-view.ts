/** What a person sees while a testnet runs: a table drawn in place on a terminal, plain lines anywhere else. */
import { counted, type ModelNeed, type PeerEvent, PeerNames } from "../../node/index.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { fittedLines } from "./fitted-lines.ts";
import { labelText, peerName } from "./peer-name.ts";
import type { TestnetObserver, TestnetPeer } from "./result.ts";
import { dateWords } from "./statement-words.ts";
import { exitSentence } from "./summary.ts";
import { formatLoss, formatSeconds, textTable } from "./text-table.ts";

/** Shows a run while it goes on. */
export interface LiveView extends TestnetObserver {
  /** Draw the last state for good. Idempotent. */
  end(): void;
}

/** The run, and where its lines go. */
export interface LiveViewOptions {
  readonly write: (text: string) => void;
  readonly manifest: NetworkManifest;
  readonly peers: number;
}

/** Redraws at most so often: fast enough to look alive, slow enough to cost nothing. */
const REDRAW_MS = 150;

/** What is drawn on. */
interface DrawnOn {
  /** In milliseconds. */
  readonly now: () => number;
  /** Width of the terminal. */
  readonly columns: () => number;
  /** Its height, where it has one. */
  readonly rows?: (() => number | undefined) | undefined;
}

/** A table that is redrawn in place. */
export function terminalView(options: LiveViewOptions & DrawnOn): LiveView {
  const { write, manifest, now, columns, rows } = options;
  const peers = new Map<string, TestnetPeer>();
  let linesDrawn = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let ended = false;
  const draw = (): void => {
    const table = liveTable([...peers.values()].sort(byName), manifest);
    const lines = fittedLines(table, { columns: columns(), rows: rows?.() });
    // Up to the first line of the table, clear to the end of the screen, draw anew.
    write(`${linesDrawn > 0 ? `\x1b[${linesDrawn}A` : ""}\r\x1b[J${lines.join("\n")}\n`);
    linesDrawn = lines.length;
    drawnAt = now();
  };
  const changed = (peer: TestnetPeer, force: boolean): void => {
    peers.set(peer.name, peer);
    if (force || now() - drawnAt >= REDRAW_MS) draw();
  };
  return {
    onEvent: (peer, event) => changed(peer, event.type !== "step" && event.type !== "update"),
    onExit: (peer) => changed(peer, true),
    end: () => {
      if (!ended && peers.size > 0) draw();
      ended = true;
    },
  };
}

/** One line for what matters: a peer starts, ends a round, pauses, finishes, dies. */
export function lineView(options: LiveViewOptions): LiveView {
  const { write, manifest } = options;
  const names = new PeerNames();
  return {
    onEvent: (peer, event) => {
      const text = progressLine(event, manifest, names);
      if (text !== undefined) write(`${peer.name}: ${text}\n`);
    },
    onExit: (peer) => write(`${[exitSentence(peer), ...(peer.exit?.lastLines ?? [])].join("\n  | ")}\n`),
    end: () => undefined,
  };
}

/** The table of the terminal view, as lines. */
export function liveTable(peers: readonly TestnetPeer[], manifest: NetworkManifest): string[] {
  const columns = [
    { heading: "peer", numeric: false },
    { heading: "id", numeric: false },
    { heading: "doing", numeric: false },
    { heading: "round", numeric: true },
    { heading: "step", numeric: true },
    { heading: "loss", numeric: true },
    { heading: "validation", numeric: true },
    { heading: "updates", numeric: true },
    { heading: "neighbours", numeric: true },
  ];
  const names = new PeerNames(peers.flatMap(({ view }) => view.peer ?? []));
  const rows = peers.map(({ name, view }) => [
    name,
    view.peer ? names.short(view.peer) : "",
    view.state,
    `${view.roundsDone}/${manifest.rounds.count}`,
    view.steps > 0 ? `${view.step}/${view.steps}` : "",
    formatLoss(view.loss),
    formatLoss(view.rounds.at(-1)?.validationLoss),
    String(view.updates.accepted),
    String(view.neighbours),
  ]);
  const troubles = peers.flatMap((peer) => [
    ...(peer.exit ? [exitSentence(peer)] : []),
    ...(peer.view.state === "paused" ? [`${peer.name} paused: ${peer.view.pausedBecause ?? ""}`] : []),
  ]);
  return [...textTable(columns, rows), ...troubles];
}

/**
 * What an event means for a person following along, undefined for the many that are only numbers.
 * names: of all peers that this person reads of.
 */
export function progressLine(event: PeerEvent, manifest: NetworkManifest, names: PeerNames): string | undefined {
  switch (event.type) {
    case "started": {
      const { train, validation, test } = event.examples;
      const from = event.resumed ? `goes on in round ${event.round + 1}` : "starts";
      return `${from} as ${event.peer}, ${counted(train, "example")} to train on, ${validation} to validate, ${test} to test`;
    }
    case "round": {
      const { summary } = event;
      const done = `${summary.round + 1}/${manifest.rounds.count}`;
      const losses = `train loss ${formatLoss(summary.trainLoss)}, validation ${formatLoss(summary.validationLoss)}`;
      return `round ${done} in ${formatSeconds(summary.seconds.total)}, ${losses}, ${counted(summary.neighbours, "neighbour")} mixed in at lambda ${summary.lambda.toFixed(2)}`;
    }
    case "step":
      return event.phase === "alone" && event.round === 0 && event.step === 1
        ? "trains alone, for comparison"
        : undefined;
    case "refused":
      return `keeps its own adapter in round ${event.round + 1}: the aggregate of the others was refused (${event.reason})`;
    case "jumped":
      return `fell behind after round ${event.from + 1}, goes on in round ${event.to + 1} where the others are`;
    case "observing":
      return `observes without the network's model; ${needsSentence(event)}, and it trains`;
    case "paused":
      return `paused: ${event.reason}`;
    case "resumed":
      return "goes on after a pause";
    case "privacy": {
      const { spent, epsilon, delta, sending } = event.status;
      const rest = sending ? "" : "; nothing more is sent";
      return `privacy: epsilon ${spent.toFixed(3)} of ${epsilon} spent at delta ${delta}${rest}`;
    }
    case "finished": {
      const { base, alone, swarm } = event.report;
      return `finished, held-out loss ${formatLoss(base.loss)} base, ${formatLoss(alone?.loss)} alone, ${formatLoss(swarm.loss)} swarm`;
    }
    case "request":
      return `${event.peer} asks to be admitted and calls itself ${labelText(event.label)}; fingerprint ${event.fingerprint}, motion ${event.motion.slice(0, 12)}`;
    case "member":
      return `member ${event.change}: ${peerName(names, event.peer, event.label)}, ${event.role}`;
    case "equivocation": {
      const what = event.isBarred ? "and is barred" : "the policy lets it stay";
      return `${peerName(names, event.peer, event.label)} signed two different things under number ${event.sequence}, ${what}`;
    }
    case "succession": {
      const here = event.isHeld ? "" : "; its manifest is not here yet";
      return `the members have agreed on a new manifest from round ${event.round + 1} on, network ${event.network}${here}`;
    }
    case "ending":
      return event.at === null ? undefined : endingWords(event.what, event.at);
    case "clock": {
      const minutes = Math.ceil(event.aheadSeconds / 60);
      return `the clock of ${peerName(names, event.peer, event.label)} is ${minutes} minutes ahead of this one, so what it signs is put off; one of the two is wrong`;
    }
    case "roster":
    case "neighbours":
    case "company":
    case "alone":
    case "declined":
    case "address":
    case "unreachable":
    case "loop":
    case "published":
    case "mixed":
    case "update":
      return undefined;
    default: {
      const unknown: never = event;
      throw new Error(`unknown event ${JSON.stringify(unknown)}`);
    }
  }
}

/** What ends, when, and what to do about it. */
export function endingWords(what: "membership" | "quorum", at: number): string {
  return what === "membership"
    ? `this peer's membership ends ${dateWords(at)}; ask an admin to make it longer`
    : `from ${dateWords(at)} on too few admins are left to change anything in this network; make others admins, or their memberships longer, before`;
}

/** What a person has to get, and where to put it. */
export function needsSentence({
  directory,
  needs,
}: {
  readonly directory: string;
  readonly needs: readonly ModelNeed[];
}): string {
  const files = needs.map(({ file, expected, found }) => {
    const instead = found === undefined ? "missing" : `${found} is there`;
    return `${file} (digest ${expected}; ${instead})`;
  });
  return `put ${files.join(" and ")} into ${directory}`;
}

const byName = (a: TestnetPeer, b: TestnetPeer): number => a.name.localeCompare(b.name, "en", { numeric: true });
