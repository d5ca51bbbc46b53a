/** What a peer has to show at its end, as lines for a person. */
import type { PeerReport } from "../node/index.ts";
import { comparisonSentences } from "../testnet/comparison.ts";
import { forgettingSentence } from "../testnet/forgetting-table.ts";
import { formatLoss, formatShare, textTable } from "../testnet/text-table.ts";

const COLUMNS = [
  { heading: "held-out data", numeric: false },
  { heading: "loss", numeric: true },
  { heading: "accuracy", numeric: true },
  { heading: "whole answers", numeric: true },
];

/** The scores as a table, what it forgot, and how it compares with training alone. */
export function reportLines(report: PeerReport): readonly string[] {
  const { base, alone, swarm } = report;
  const scores = { "base model": base, ...(alone && { "trained alone": alone }), "trained in the swarm": swarm };
  const rows = Object.entries(scores).map(([name, { loss, accuracy, exactMatch }]) => [
    name,
    formatLoss(loss),
    formatShare(accuracy),
    formatShare(exactMatch),
  ]);
  return [
    ...textTable(COLUMNS, rows),
    `forgetting   ${forgettingSentence(report.forgetting)}`,
    ...comparisonSentences(report),
  ];
}
