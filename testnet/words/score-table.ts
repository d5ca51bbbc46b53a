/** How models do on held-out data, a row each. */
import { formatLoss, formatShare, textTable } from "./text-table.ts";

/** What a row shows of an evaluation. */
export interface ShownScore {
  readonly loss: number;
  /** Share of the answers' tokens. */
  readonly accuracy: number;
  /** Share of the answers that are right as a whole. */
  readonly exactMatch: number;
  /** Of named entities, where the model finds these. */
  readonly entities?: { readonly f1: number };
}

/** Scores of the held-out examples, one row each. */
export function scoreLines(scores: Readonly<Record<string, ShownScore>>): string[] {
  const hasEntities = Object.values(scores).some(({ entities }) => entities !== undefined);
  const columns = [
    { heading: "held-out data", numeric: false },
    { heading: "loss", numeric: true },
    { heading: "accuracy", numeric: true },
    { heading: "whole answers", numeric: true },
    ...(hasEntities ? [{ heading: "entities (F1)", numeric: true }] : []),
  ];
  const rows = Object.entries(scores).map(([name, { loss, accuracy, exactMatch, entities }]) => [
    name,
    formatLoss(loss),
    formatShare(accuracy),
    formatShare(exactMatch),
    ...(hasEntities ? [entities ? formatShare(entities.f1) : ""] : []),
  ]);
  return textTable(columns, rows);
}
