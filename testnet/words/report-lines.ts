/** What a peer has to show at its end, as lines for a person. */
import type { PeerReport } from "../../node/index.ts";
import { comparisonSentences } from "./comparison.ts";
import { forgettingSentence } from "./forgetting-table.ts";
import { scoreLines } from "./score-table.ts";
import { formatLoss } from "./text-table.ts";

/** Rounds are counted from 1 for people. */
function bestLine({ rounds }: PeerReport, { round, validationLoss }: NonNullable<PeerReport["best"]>): string {
  const of = `round ${round + 1} of ${rounds.at(-1)!.round + 1}`;
  return `best round   ${of}, by a validation loss of ${formatLoss(validationLoss)}; its adapter is kept in best-round`;
}

/** The scores as a table, what it forgot, and how it compares with training alone. */
export function reportLines(report: PeerReport): readonly string[] {
  const { base, alone, swarm } = report;
  return [
    ...scoreLines({ "base model": base, ...(alone && { "trained alone": alone }), "trained in the swarm": swarm }),
    `forgetting   ${forgettingSentence(report.forgetting)}`,
    ...comparisonSentences(report),
    ...(report.best ? [bestLine(report, report.best)] : []),
  ];
}
