/** What a run cost: bytes and time, and what became of the updates that came in. */
import { counted } from "../../../protocol/counted.ts";
import type { RoundSummary } from "../../interface/peer-event.ts";
import type { ReportPeer } from "../../interface/report-document.ts";
import { Chart, CURVES_MAX, type Curve } from "./chart.tsx";
import { roundsOf } from "./report-rounds.tsx";
import { Table } from "./table.tsx";
import { bytesText, figure } from "./words.ts";

/** Nothing where no round was done. */
export function Costs({ peers }: { readonly peers: readonly ReportPeer[] }) {
  const rounds = roundsOf(peers);
  if (rounds.length === 0) return null;
  return (
    <>
      <h2>What it cost</h2>
      <Table
        caption="Bytes, and verdicts on updates of others, all rounds together"
        headings={["peer", "sent", "received", "accepted", "ignored", "rejected"]}
        wide={[3, 4, 5]}
        rows={peers.map(({ name, bytes, updates }) => [
          name,
          bytesText(bytes.sent),
          bytesText(bytes.received),
          updates.accepted,
          updates.ignored,
          updates.rejected,
        ])}
      />
      <ByteCharts peers={peers} rounds={rounds} />
      <h3>Where the time went</h3>
      <p>
        Wall time of the rounds: training, network (publishing, waiting for updates, fetching them), aggregation; other
        is evaluation, checkpoints and what is between.
      </p>
      <Times peers={peers} />
    </>
  );
}

interface ByteCounts {
  readonly name: string;
  readonly validation: { readonly rounds: readonly Pick<RoundSummary, "round" | "bytes">[] };
}

/** Bytes out and in, round by round.  rounds: counted from 0. */
export function ByteCharts({
  peers,
  rounds,
}: {
  readonly peers: readonly ByteCounts[];
  readonly rounds: readonly number[];
}) {
  const chart = (title: string, way: "sent" | "received") => (
    <Chart
      title={title}
      unit="bytes"
      rounds={rounds.map((round) => round + 1)}
      curves={byteCurves(peers, rounds, way)}
      text={(value) => (value === null ? "–" : bytesText(value))}
    />
  );
  return (
    <div class="columns">
      {chart("Sent in each round", "sent")}
      {chart("Received in each round", "received")}
    </div>
  );
}

/** A line for each peer, or where these are too many their mean between the least and the most. */
function byteCurves(
  peers: readonly ByteCounts[],
  rounds: readonly number[],
  way: "sent" | "received",
): readonly Curve[] {
  const lines = peers.map(({ name, validation }) => {
    const at = new Map(validation.rounds.map(({ round, bytes }) => [round, bytes[way]]));
    return { name, values: rounds.map((round) => at.get(round) ?? null) };
  });
  if (lines.length <= CURVES_MAX) return lines;
  const known = (value: (values: readonly number[]) => number) =>
    rounds.map((_, i) => {
      const values = lines.flatMap((line) => line.values[i] ?? []);
      return values.length === 0 ? null : value(values);
    });
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  return [
    {
      name: `mean of ${counted(peers.length, "peer")}`,
      values: known(mean),
      band: { low: known((values) => Math.min(...values)), high: known((values) => Math.max(...values)) },
    },
  ];
}

const PHASES = ["train", "network", "aggregate", "other"] as const;

function Times({ peers }: { readonly peers: readonly ReportPeer[] }) {
  const longest = Math.max(1e-9, ...peers.map(({ seconds }) => seconds.total));
  return (
    <>
      <ul class="legend">
        {PHASES.map((phase) => (
          <li key={phase}>
            <span class={`key ${phase}`} />
            {phase}
          </li>
        ))}
      </ul>
      <Table
        caption="Seconds of all rounds"
        headings={["peer", "shares", "train", "network", "aggregate", "other", "total"]}
        wide={[2, 3, 4, 5]}
        rows={peers.map(({ name, seconds }) => {
          const { train, network, aggregate, total } = seconds;
          const parts = { train, network, aggregate, other: Math.max(0, total - train - network - aggregate) };
          return [
            name,
            <span class="stack" aria-hidden="true">
              {PHASES.map((phase) => (
                <span key={phase} class={phase} style={{ width: `${(100 * parts[phase]) / longest}%` }} />
              ))}
            </span>,
            figure(train, 1),
            figure(network, 1),
            figure(aggregate, 1),
            figure(parts.other, 1),
            figure(total, 1),
          ];
        })}
      />
    </>
  );
}
