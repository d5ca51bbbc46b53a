/** `weft status --watch`: a peer as it goes on, drawn over on a terminal, a line for each change anywhere else. */
import { setTimeout as pause } from "node:timers/promises";
import { counted, PeerNames } from "../node/index.ts";
import { fittedLines } from "../testnet/words/fitted-lines.ts";
import { peerName } from "../testnet/words/peer-name.ts";
import { formatLoss, textTable } from "../testnet/words/text-table.ts";
import { askRunningPeer, runningStatus } from "./running-peer.ts";
import type { PeerStatus } from "./status-file.ts";
import type { Terminal } from "./terminal.ts";

/** Fast enough to look alive, slow enough to cost the peer nothing. */
const LOOK_MS = 1_000;

/** What of GET /v1/peers is shown. */
interface PeersAnswer {
  readonly peers: readonly {
    readonly peer: string;
    readonly label?: string;
    readonly isNeighbour: boolean;
    readonly links: readonly { readonly isRelayed: boolean; readonly roundTripMs: number | null }[];
    readonly mix: { readonly weight: number; readonly staleness: number; readonly distance: number } | null;
  }[];
}

/** How it is shown. */
export interface WatchOptions {
  readonly folder: string;
  readonly json: boolean;
  /** The lines of a status. */
  readonly linesOf: (status: PeerStatus) => readonly string[];
  readonly lookMs?: number;
}

/** Show the peer of a data directory until it ends or the terminal's signal comes.  Returns whether any was running. */
export async function watchStatus(
  terminal: Terminal,
  { folder, json, linesOf, lookMs = LOOK_MS }: WatchOptions,
): Promise<boolean> {
  const { signal } = terminal;
  const isDrawn = terminal.errIsTerminal && !json;
  let drawn = 0;
  let said = "";
  let isSeen = false;
  while (!signal.aborted) {
    const status = await runningStatus(folder);
    if (status === undefined) return isSeen;
    isSeen = true;
    if (isDrawn) {
      const peers = await askRunningPeer<PeersAnswer>(folder, "/v1/peers");
      const room = { columns: terminal.columns(), rows: terminal.rows?.() };
      const own = fittedLines(linesOf(status), room, { folded: true });
      const lines = fittedLines([...own, "", ...neighbourTable(peers)], room);
      const draw = terminal.draw ?? terminal.err;
      draw(`${drawn > 0 ? `\x1b[${drawn}A` : ""}\r\x1b[J${lines.join("\n")}\n`);
      drawn = lines.length;
    } else {
      const line = json ? JSON.stringify(changing(status)) : changeLine(status);
      if (line !== said) terminal.out(`${line}\n`);
      said = line;
    }
    await pause(lookMs, undefined, { signal }).catch(() => undefined);
  }
  return isSeen;
}

/** The status without what changes from look to look by itself. */
function changing({ updatedAt: _, ...status }: PeerStatus): object {
  return { ...status, running: true };
}

function changeLine({ view, rounds }: PeerStatus): string {
  const last = view.rounds.at(-1);
  const losses = `validation ${formatLoss(last?.validationLoss)}`;
  return `${view.state}, round ${view.roundsDone} of ${rounds} done, ${losses}, ${counted(view.neighbours, "neighbour")}`;
}

function neighbourTable(answer: PeersAnswer | undefined): readonly string[] {
  const peers = answer?.peers ?? [];
  if (peers.length === 0) return ["nobody is connected"];
  const columns = ["peer", "link", "round trip", "weight", "behind", "distance"].map((heading, i) => ({
    heading,
    numeric: i > 1,
  }));
  const names = new PeerNames(peers.map(({ peer }) => peer));
  const rows = peers.map(({ peer, label, isNeighbour, links, mix }) => {
    const link = links.find(({ isRelayed }) => !isRelayed) ?? links[0];
    const way = link?.isRelayed ? "relayed" : "direct";
    return [
      peerName(names, peer, label),
      isNeighbour ? way : `${way}, no neighbour`,
      link?.roundTripMs == null ? "–" : `${link.roundTripMs.toFixed(0)} ms`,
      mix === null ? "–" : mix.weight.toFixed(2),
      mix === null ? "–" : String(mix.staleness),
      mix === null ? "–" : mix.distance.toFixed(2),
    ];
  });
  return textTable(columns, rows);
}
