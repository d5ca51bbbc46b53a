/** How far a swarm went on the way from training alone to all data in one place. */
import { counted } from "../../node/index.ts";
import { formatLoss } from "./text-table.ts";

/** The mean losses of three trainings, in nats per token, over the same peers. */
export interface WayLosses {
  readonly alone: number;
  readonly swarm: number;
  readonly central: number;
}

/** Differences of less say nothing: a way shorter than this has no shares. */
export const WAY_MIN = 0.02;

/**
 * (alone - swarm) / (alone - central): 0 where the swarm is as training alone, 1 where it is as all data in one place; below 0 and
 * above 1 as well. Undefined where one place is no better than alone by `wayMin`, or a loss is no number.
 */
export function shareOfWay({ alone, swarm, central }: WayLosses, wayMin: number = WAY_MIN): number | undefined {
  const share = (alone - swarm) / (alone - central);
  return alone - central >= wayMin && Number.isFinite(share) ? share : undefined;
}

interface Loss {
  readonly loss: number;
}

/** The scores of a swarm's peers, as far as there are, and those of one training with everybody's data. */
export interface ComparedSwarm {
  readonly peers: readonly {
    readonly view: { readonly report?: { readonly alone?: Loss | undefined; readonly swarm: Loss } | undefined };
  }[];
  readonly central?: { readonly peers: readonly Loss[] } | undefined;
}

/** The means over the peers that have all three scores; undefined where none has. */
export function wayOf({ peers, central }: ComparedSwarm): (WayLosses & { readonly peers: number }) | undefined {
  const compared = peers.flatMap(({ view: { report } }, peer) => {
    const one = central?.peers[peer];
    return report?.alone && one ? [{ alone: report.alone.loss, swarm: report.swarm.loss, central: one.loss }] : [];
  });
  if (compared.length === 0) return undefined;
  const mean = (of: (losses: WayLosses) => number): number =>
    compared.reduce((sum, losses) => sum + of(losses), 0) / compared.length;
  return {
    alone: mean(({ alone }) => alone),
    swarm: mean(({ swarm }) => swarm),
    central: mean(({ central }) => central),
    peers: compared.length,
  };
}

/** The headline of a run; undefined where there is nothing in one place to compare with. */
export function waySentence(result: ComparedSwarm): string | undefined {
  const way = wayOf(result);
  if (way === undefined) return undefined;
  const losses = `mean held-out loss of ${counted(way.peers, "peer")}: alone ${formatLoss(way.alone)}, swarm ${formatLoss(way.swarm)}, all data in one place ${formatLoss(way.central)}`;
  const share = shareOfWay(way);
  if (share === undefined) return `No way to go: all data in one place is no better than training alone (${losses}).`;
  return `The swarm went ${formatWay(share)} of the way from training alone to all data in one place (${losses}).`;
}

/** A share of the way in percent; "–" where there is none. */
export function formatWay(share: number | undefined): string {
  return share === undefined ? "–" : `${(100 * share).toFixed(0).replace("-", "−")} %`;
}
