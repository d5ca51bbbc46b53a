/** Losses round by round: of all peers together, or of one. */
import { useState } from "preact/hooks";
import { counted } from "../../../protocol/counted.ts";
import type { LossFigure, RoundSummary } from "../../interface/peer-event.ts";
import type { ReportPeer } from "../../interface/report-document.ts";
import { Chart, CURVES_MAX, type Curve } from "./chart.tsx";
import { HeatMap } from "./heat-map.tsx";
import { figure } from "./words.ts";

const ALL = "all";

/** base, alone, swarm and central over the rounds; nothing where no round was done. */
export function RoundByRound({ peers }: { readonly peers: readonly ReportPeer[] }) {
  if (roundsOf(peers).length === 0) return null;
  return (
    <>
      <h2>Round by round</h2>
      <LossCurves peers={peers} />
      {peers.length > CURVES_MAX && <LossMap peers={peers} />}
    </>
  );
}

/** Each peer by itself, where lines would be too many. */
export function LossMap({ peers }: { readonly peers: readonly CurvesPeer[] }) {
  const rounds = roundsOf(peers);
  const curves = peers.map(({ name, validation }) => {
    const at = new Map(validation.rounds.map(({ round, validationLoss }) => [round, validationLoss]));
    return { name, values: rounds.map((round) => at.get(round) ?? null) };
  });
  return (
    <HeatMap
      title="Held-out loss of each peer after each round"
      unit="nats per token"
      rounds={rounds.map((round) => round + 1)}
      curves={curves}
      text={(value) => figure(value)}
    />
  );
}

/** What is drawn of a peer. */
export interface CurvesPeer extends Pick<ReportPeer, "name" | "central"> {
  readonly validation: Omit<ReportPeer["validation"], "rounds"> & {
    readonly rounds: readonly Pick<RoundSummary, "round" | "validationLoss" | "validationInterval">[];
  };
}

/** The curves of all peers together, or of one that is chosen. */
export function LossCurves({ peers }: { readonly peers: readonly CurvesPeer[] }) {
  const [chosen, choose] = useState(ALL);
  const rounds = roundsOf(peers);
  const one = peers.find(({ name }) => name === chosen) ?? (peers.length === 1 ? peers[0] : undefined);
  return (
    <>
      <p>
        Loss on examples that the peer does not train on (its validation data), after each round: of the frozen base
        model, of the adapter in the swarm, and of training alone with as many local steps on the same data.{" "}
        {one
          ? "The bands are 95 % intervals."
          : "The lines are means over the peers, the bands go from the lowest peer to the highest."}
      </p>
      {peers.length > 1 && (
        <p>
          <label>
            Show{" "}
            <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
              <option value={ALL}>all {peers.length} peers</option>
              {peers.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </p>
      )}
      <Chart
        title={`Held-out loss of ${one?.name ?? `all ${counted(peers.length, "peer")}`}`}
        unit="nats per token"
        rounds={rounds.map((round) => round + 1)}
        curves={one ? curvesOf(one, rounds) : meanCurves(peers, rounds)}
        text={(value) => figure(value)}
      />
    </>
  );
}

/** Every round that some peer did, counted from 0. */
export function roundsOf(peers: readonly Pick<CurvesPeer, "validation">[]): readonly number[] {
  return [...new Set(peers.flatMap(({ validation }) => validation.rounds.map(({ round }) => round)))].sort(
    (a, b) => a - b,
  );
}

interface Line {
  readonly name: string;
  readonly at: ReadonlyMap<number, LossFigure>;
}

/** What is known of one peer by round. */
function linesOf({ validation, central }: CurvesPeer, rounds: readonly number[]): readonly Line[] {
  const level = (name: string, loss: LossFigure | undefined): readonly Line[] =>
    loss ? [{ name, at: new Map(rounds.map((round) => [round, loss])) }] : [];
  const swarm = validation.rounds.map(
    ({ round, validationLoss, validationInterval }) =>
      [round, { loss: validationLoss, interval: validationInterval }] as const,
  );
  const alone = (validation.alone ?? []).map((one) => [one.round, one] as const);
  return [
    { name: "swarm", at: new Map(swarm) },
    ...(alone.length > 0 ? [{ name: "alone", at: new Map(alone) }] : []),
    ...level("base", validation.base),
    ...level("central, at its end (test data)", central),
  ];
}

function curvesOf(peer: CurvesPeer, rounds: readonly number[]): readonly Curve[] {
  return linesOf(peer, rounds).map(({ name, at }) => {
    const edge = (sign: number) =>
      rounds.map((round) => {
        const { loss, interval } = at.get(round) ?? {};
        return loss == null || interval == null ? null : loss + sign * interval;
      });
    const band = [...at.values()].some(({ interval }) => interval != null);
    return {
      name,
      values: rounds.map((round) => at.get(round)?.loss ?? null),
      ...(band && { band: { low: edge(-1), high: edge(1) } }),
    };
  });
}

/** Means over the peers that have a value in a round, and how far the peers lie apart. */
function meanCurves(peers: readonly CurvesPeer[], rounds: readonly number[]): readonly Curve[] {
  const all = peers.map((peer) => linesOf(peer, rounds));
  const names = ["swarm", "alone", "base", "central, at its end (test data)"];
  return names.flatMap((name): readonly Curve[] => {
    const lines = all.flatMap((lines) => lines.filter((line) => line.name === name));
    if (lines.length === 0) return [];
    const losses = rounds.map((round) =>
      lines.flatMap(({ at }) => {
        const { loss } = at.get(round) ?? {};
        return typeof loss === "number" ? [loss] : [];
      }),
    );
    const known = (value: (values: readonly number[]) => number) =>
      losses.map((values) => (values.length === 0 ? null : value(values)));
    return [
      {
        name,
        values: known((values) => values.reduce((sum, one) => sum + one, 0) / values.length),
        band: { low: known((values) => Math.min(...values)), high: known((values) => Math.max(...values)) },
      },
    ];
  });
}
