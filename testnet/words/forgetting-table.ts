/** What peers have forgotten, as rows of tables: psi on the whole validation set and on each task in it. */
import type { Forgetting, ForgettingReport } from "../../node/index.ts";
import { formatLoss, formatShare } from "./text-table.ts";

/** Said where the numbers stand. */
export const FORGETTING_CAPTION =
  "forgetting psi on the validation set: how far scores are behind the best after any round so far, 0 for none";

/** One row for the whole set and one for each task of each peer. */
export interface ForgettingRow extends Forgetting {
  readonly peer: string;
  readonly task: string;
}

/** A peer whose forgetting is shown. */
export interface ForgetfulPeer {
  readonly name: string;
  readonly forgetting: ForgettingReport | undefined;
}

/** For each evaluated peer one row of all data, and one for each of its tasks. */
export function forgettingRows(peers: readonly ForgetfulPeer[]): ForgettingRow[] {
  return peers.flatMap(({ name: peer, forgetting }) => {
    if (forgetting === undefined) return [];
    const { loss, accuracy, tasks } = forgetting;
    return [{ peer, task: "all", loss, accuracy }, ...tasks.map((one) => ({ peer, ...one }))];
  });
}

/** A line for each peer; none where nobody was evaluated yet. The report's page has every task. */
export function forgettingLines(peers: readonly ForgetfulPeer[]): string[] {
  const evaluated = peers.flatMap(({ name, forgetting }) => (forgetting === undefined ? [] : [{ name, forgetting }]));
  if (evaluated.length === 0) return [];
  return [FORGETTING_CAPTION, ...evaluated.map(({ name, forgetting }) => `${name}  ${forgettingSentence(forgetting)}`)];
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
