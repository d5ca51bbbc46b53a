/** Claims that are held against every single peer, and against the way from alone to central. */
import { formatWay } from "../words/way.ts";
import type { CellResult } from "./cell.ts";
import type { CheckedClaim, Evidence } from "./checked-claim.ts";
import { METRICS } from "./metric.ts";
import type { SuiteResults } from "./run-table.ts";
import { splitName } from "./split.ts";
import { grouped, rowsOf } from "./summary-rows.ts";

/** What one peer gains over itself alone, in shares of its test set, with the 95 % interval of the paired differences. */
export interface PeerGain {
  readonly gain: number;
  readonly half: number;
}

/** Quantile 0.975 of the normal distribution: test sets have dozens of examples. */
const NORMAL_QUANTILE = 1.96;
/** The share of the way that a network is to go. */
const WAY_AIM = 0.7;
/** One point: what a peer may lose without being called worse off. */
const POINT = 0.01;

/**
 * d_e = 1 where the swarm's adapter answers example e and the one trained alone does not, -1 the other way round, else 0; the gain
 * is mean(d) ± 1.96 s / √n.  `whole`: one digit for each example, in the same order.
 */
export function peerGain(swarm: string, alone: string): PeerGain {
  const differences = Array.from(swarm, (digit, e) => Number(digit) - Number(alone[e]));
  const n = differences.length;
  const gain = differences.reduce((sum, d) => sum + d, 0) / n;
  const variance = differences.reduce((sum, d) => sum + (d - gain) ** 2, 0) / Math.max(1, n - 1);
  return { gain, half: NORMAL_QUANTILE * Math.sqrt(variance / n) };
}

/** Of both methods the names; each setting in which all cells of both are there is one line of evidence. */
export function noPeerWorse(
  all: readonly SuiteResults[],
  { swarm, alone }: { readonly swarm: string; readonly alone: string },
): Omit<CheckedClaim, "finding"> {
  const evidence = all.flatMap((results) =>
    [...settingsOf(results)].flatMap(([label, cells]) => {
      const seeds = cells
        .filter(({ cell }) => cell.method.name === swarm)
        .map(({ cell, result }) => {
          const other = cells.find((one) => one.cell.method.name === alone && one.cell.seed === cell.seed);
          return other ? gainsOf(result, other.result) : [];
        })
        .filter((gains) => gains.length > 0);
      return seeds.length === 0 ? [] : [evidenceOf(label, seeds)];
    }),
  );
  return {
    name: "no-peer-worse",
    source: "weft's own",
    claim: "no peer of a network as it ships ends worse than alone beyond the 95 % interval of its paired answers",
    evidence,
  };
}

type Cells = SuiteResults["cells"];

function settingsOf({ suite, cells }: SuiteResults): Map<string, Cells> {
  const honest = cells.filter(({ cell }) => cell.attack === "none");
  return grouped(honest, ({ cell }) => `${suite.name}, ${splitName(cell.split)}, ${cell.peers} peers`);
}

const gainsOf = (swarm: CellResult, alone: CellResult): readonly PeerGain[] =>
  swarm.peers.flatMap(({ own }, p) => {
    const [a, b] = [own.whole, alone.peers[p]?.own.whole];
    return a !== undefined && a !== "" && a.length === b?.length ? [peerGain(a, b)] : [];
  });

function evidenceOf(label: string, seeds: readonly (readonly PeerGain[])[]): Evidence {
  const gains = seeds.flat();
  const beyond = gains.filter(({ gain, half }) => gain + half < 0);
  const worst = gains.reduce((a, b) => (b.gain < a.gain ? b : a));
  const better = gains.filter(({ gain }) => gain > 0).length;
  const lost = gains.filter(({ gain }) => gain < -POINT).length;
  const text = `${label}: of ${gains.length} peers ${better} are better, ${lost} worse by more than a point, ${beyond.length} worse beyond their interval; the worst ${points(worst.gain)} ± ${points(worst.half).replace("+", "")} points`;
  return { holds: beyond.length === 0, text, seeds: seeds.length };
}

const points = (share: number): string => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;

/** The share of the way from alone to all data in one place that the shipped network goes, where one place is better than alone. */
export function goesTheWay(all: readonly SuiteResults[], swarm: string): Omit<CheckedClaim, "finding"> {
  const evidence = all.flatMap((results) =>
    rowsOf(results)
      .filter(({ method, way }) => method === swarm && way !== undefined)
      .map(({ suite, split, peers, way, ways = [] }) => {
        const each = ways.length > 1 ? `; by seed ${ways.map(formatWay).join(", ")}` : "";
        const text = `${suite}, ${split}, ${peers} peers: ${formatWay(way)}, ${ways.length} seeds${each}`;
        return { holds: way! >= WAY_AIM, text, seeds: ways.length };
      }),
  );
  return {
    name: "way",
    source: "weft's own",
    claim: `a network as it ships goes at least ${formatWay(WAY_AIM)} of the way from alone to all data in one place`,
    evidence,
  };
}

/** A row in which C alone travels, the row of LoRA that it is held against, and how the claim names the former. */
interface COnlyAim {
  readonly cOnly: string;
  readonly lora: string;
  readonly name: string;
  readonly mixed: string;
}

/** C alone against the mean of LoRA: within 3 points of it where data are mixed, ahead of it where they are distinct, at a fortieth of the bytes. */
export function cOnlyAim(
  all: readonly SuiteResults[],
  { cOnly, lora, name, mixed }: COnlyAim,
): Omit<CheckedClaim, "finding"> {
  const evidence = all.flatMap((results) => {
    const { unit, of: _, ...metric } = METRICS[results.suite.data];
    if (unit !== "share") return [];
    const rows = rowsOf(results);
    return rows
      .filter(({ method, split }) => method === cOnly && (split === "mixture" || split === "distinct"))
      .flatMap((row) => {
        const other = rows.find(
          ({ method, split, peers }) => method === lora && split === row.split && peers === row.peers,
        );
        if (!other) return [];
        const ahead = row.own.mean - other.own.mean;
        const ratio = other.updateBytes / row.updateBytes;
        const least = row.split === "distinct" ? 0 : -3 * metric.tolerance;
        const text = `${row.suite}, ${row.split}, ${row.peers} peers: ${points(ahead)} points against ${other.title}, ${ratio.toFixed(1)} times fewer bytes`;
        return [{ holds: ahead >= least && ratio >= 40, text, seeds: Math.min(row.seeds, other.seeds) }];
      });
  });
  return {
    name,
    source: "weft's own",
    claim: `C alone, ${mixed}, is within 3 points of the mean of LoRA on a mixture and ahead of it on distinct tasks, at a fortieth of the bytes`,
    evidence,
  };
}
