/** What peers have forgotten, as rows of tables: psi on the whole validation set and on each task in it. */
import type { Forgetting, ForgettingReport } from "../node/interface/peer-event.ts";
import { type Column, formatLoss, formatShare, textTable } from "./text-table.ts";

/** Said where the numbers stand. */
export const FORGETTING_CAPTION =
  "forgetting psi on the validation set: how far scores are behind the best after any round so far, 0 for none";

/** One row for the whole set and one for each task of each peer. */
export interface ForgettingRow extends Forgetting {
  readonly peer: string;
  readonly task: string;
}

export interface ForgetfulPeer {
  readonly name: string;
  readonly forgetting: ForgettingReport | undefined;
}

export function forgettingRows(peers: readonly ForgetfulPeer[]): ForgettingRow[] {
  return peers.flatMap(({ name: peer, forgetting }) => {
    if (forgetting === undefined) return [];
    const { loss, accuracy, tasks } = forgetting;
    return [{ peer, task: "all", loss, accuracy }, ...tasks.map((one) => ({ peer, ...one }))];
  });
}

/** Lines of a text table; none where nobody was evaluated yet. */
export function forgettingLines(peers: readonly ForgetfulPeer[]): string[] {
  const rows = forgettingRows(peers);
  if (rows.length === 0) return [];
  const cells = rows.map(({ peer, task, loss, accuracy }) => [peer, task, formatPoints(accuracy), formatLoss(loss)]);
  return [FORGETTING_CAPTION, "", ...textTable(COLUMNS, cells)];
}

/** In one line, such as `0.4 % of accuracy, 0.012 nats; most on reverse: 5.6 %`. */
export function forgettingSentence({ loss, accuracy, tasks }: ForgettingReport): string {
  const [most] = tasks.toSorted((a, b) => b.accuracy - a.accuracy);
  const worst = most && most.accuracy > 0 ? `; most on ${most.task}: ${formatPoints(most.accuracy)}` : "";
  return `${formatPoints(accuracy)} of accuracy, ${formatLoss(loss)} nats${worst}`;
}

/** A share, or a dash where there is none (JSON has no NaN, so null may stand for one). */
export function formatPoints(share: number): string {
  return Number.isFinite(share) ? formatShare(share) : "–";
}

const COLUMNS: readonly Column[] = [
  { heading: "peer", numeric: false },
  { heading: "task", numeric: false },
  { heading: "psi accuracy", numeric: true },
  { heading: "psi loss", numeric: true },
];
