/** What a peer has to show at its end, as lines for a person. */
import type { PeerReport } from "../../node/index.ts";
import { comparisonSentences } from "./comparison.ts";
import { forgettingSentence } from "./forgetting-table.ts";
import { scoreLines } from "./score-table.ts";

/** The scores as a table, what it forgot, and how it compares with training alone. */
export function reportLines(report: PeerReport): readonly string[] {
  const { base, alone, swarm } = report;
  return [
    ...scoreLines({ "base model": base, ...(alone && { "trained alone": alone }), "trained in the swarm": swarm }),
    `forgetting   ${forgettingSentence(report.forgetting)}`,
    ...comparisonSentences(report),
  ];
}
