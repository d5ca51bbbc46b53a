/** What the rounds have come to: losses, neighbours, bytes and time. */
import { useMemo, useState } from "preact/hooks";
import type { RoundSummary } from "../../interface/peer-event.ts";
import type { Mix, Rounds, ScoredRound } from "./answers.ts";
import { Chart, CURVES_MAX, type Curve } from "./chart.tsx";
import { HeatMap } from "./heat-map.tsx";
import { NumbersBelow } from "./table.tsx";
import { bytesText, figure, type PeerTexts } from "./words.ts";

const nats = (value: number | null): string => figure(value);

/** Training and validation loss, and once it is known what the base and training alone have. */
export function Losses({ rounds: { rounds, report, base } }: { readonly rounds: Rounds }) {
  const level = (name: string, loss: number | undefined, interval?: number | null): readonly Curve[] => {
    if (loss == null) return [];
    const flat = (value: number) => rounds.map(() => value);
    const band = interval == null ? {} : { band: { low: flat(loss - interval), high: flat(loss + interval) } };
    return [{ name, values: flat(loss), ...band }];
  };
  const edge = (sign: number) =>
    rounds.map(({ validationLoss, validationInterval }) =>
      validationInterval == null || validationLoss == null ? null : validationLoss + sign * validationInterval,
    );
  const band = rounds.some(({ validationInterval }) => validationInterval != null);
  const alone = new Map(report?.aloneRounds?.map((one) => [one.round, one]));
  const aloneEdge = (sign: number) =>
    rounds.map(({ round }) => {
      const { loss, interval } = alone.get(round) ?? {};
      return loss == null || interval == null ? null : loss + sign * interval;
    });
  const curves: readonly Curve[] = [
    {
      name: "swarm, validation",
      values: rounds.map(({ validationLoss }) => validationLoss),
      ...(band && { band: { low: edge(-1), high: edge(1) } }),
    },
    ...(alone.size > 0
      ? [
          {
            name: "alone, validation",
            values: rounds.map(({ round }) => alone.get(round)?.loss ?? null),
            band: { low: aloneEdge(-1), high: aloneEdge(1) },
          },
        ]
      : []),
    ...level("base, validation", base?.loss, base?.interval),
    { name: "training", values: rounds.map(({ trainLoss }) => trainLoss) },
    ...level("base, held out", report?.base.loss),
    ...level("alone, held out", report?.alone?.loss),
    ...level("swarm, held out", report?.swarm.loss),
  ];
  const lambda: readonly Curve[] = [{ name: "lambda", values: rounds.map((round) => round.lambda) }];
  const numbers = rounds.map(({ round }) => round + 1);
  return (
    <div class="columns">
      <div>
        <Chart title="Loss after each round" unit="nats per token" rounds={numbers} curves={curves} text={nats} />
        {band && <p class="faint">The bands are the 95 % intervals of the validation losses.</p>}
      </div>
      <Chart
        title="Lambda: how far it went towards the others"
        unit="0 to 1"
        rounds={numbers}
        curves={lambda}
        text={(value) => figure(value, 2)}
      />
    </div>
  );
}

const MEASURES = {
  weight: { title: "Weight in the mix", unit: "share", digits: 2 },
  staleness: { title: "Rounds behind", unit: "rounds", digits: 0 },
  distance: { title: "Distance of its adapter from the own one", unit: "Euclidean", digits: 2 },
  score: {
    title: "Score: how its updates alone change the own held-out loss",
    unit: "nats, above 0 it helps",
    digits: 3,
  },
} as const;
type Measure = keyof typeof MEASURES;

/** Each neighbour over the rounds. */
export function Neighbours({
  rounds,
  names,
}: {
  readonly rounds: Pick<Rounds, "mixes" | "scores">;
  readonly names: PeerTexts;
}) {
  const [measure, choose] = useState<Measure>("weight");
  const { title, unit, digits } = MEASURES[measure];
  const { numbers, curves } = useMemo(
    () => (measure === "score" ? scoreCurves(rounds.scores ?? [], names) : mixCurves(rounds.mixes, { measure, names })),
    [rounds, measure, names],
  );
  const given = { title, unit, rounds: numbers, curves, text: (value: number | null) => figure(value, digits) };
  return (
    <>
      <fieldset>
        <legend>Show of each neighbour</legend>
        {(Object.keys(MEASURES) as Measure[]).map((one) => (
          <label key={one}>
            <input type="radio" name="measure" checked={one === measure} onChange={() => choose(one)} />
            {MEASURES[one].title.toLowerCase()}
          </label>
        ))}
      </fieldset>
      {curves.length === 0 && measure !== "score" && numbers.length > 0 && (
        <p class="faint">No neighbour's update has entered a round yet.</p>
      )}
      {curves.length === 0 ? null : curves.length > CURVES_MAX ? <HeatMap {...given} /> : <Chart {...given} />}
      {numbers.length === 0 && measure !== "score" && <p class="faint">Nothing yet: the first round is not done.</p>}
      {measure === "score" && <p class="faint">{scoreSentence(numbers.length)}</p>}
    </>
  );
}

const scoreSentence = (rounds: number): string =>
  rounds === 0
    ? "No neighbour has been looked at yet."
    : "The running mean of its newest looks, with a band of 95 %. One neighbour is looked at in a round, the one whose last look is longest ago.";

interface NeighbourCurves {
  /** Rounds, counted from 1. */
  readonly numbers: readonly number[];
  readonly curves: readonly Curve[];
}

/** A line for each neighbour; those that count for most over all rounds come first. */
function mixCurves(
  mixes: readonly Mix[],
  { measure, names }: { readonly measure: Exclude<Measure, "score">; readonly names: PeerTexts },
): NeighbourCurves {
  const weights = new Map<string, number>();
  for (const { neighbours } of mixes) {
    for (const { peer, weight } of neighbours) weights.set(peer, (weights.get(peer) ?? 0) + weight);
  }
  const peers = [...weights].sort(([, a], [, b]) => b - a).map(([peer]) => peer);
  const byRound = mixes.map(({ neighbours }) => new Map(neighbours.map((one) => [one.peer, one[measure]])));
  return {
    numbers: mixes.map(({ round }) => round + 1),
    curves: peers.map((peer) => ({ name: names.name(peer), values: byRound.map((at) => at.get(peer) ?? null) })),
  };
}

/** A line for each neighbour with a score, the most harmful one of the newest round first. */
function scoreCurves(scored: readonly ScoredRound[], names: PeerTexts): NeighbourCurves {
  const newest = new Map(scored.flatMap(({ scores }) => scores.map(({ peer, gain }) => [peer, gain] as const)));
  const peers = [...newest].sort(([, a], [, b]) => a - b).map(([peer]) => peer);
  const byRound = scored.map(({ scores }) => new Map(scores.map((one) => [one.peer, one])));
  return {
    numbers: scored.map(({ round }) => round + 1),
    curves: peers.map((peer) => {
      const edge = (sign: number) =>
        byRound.map((at) => {
          const { gain, interval } = at.get(peer) ?? {};
          return gain === undefined || interval === undefined ? null : gain + sign * interval;
        });
      return {
        name: names.name(peer),
        values: byRound.map((at) => at.get(peer)?.gain ?? null),
        band: { low: edge(-1), high: edge(1) },
      };
    }),
  };
}

const PHASES = ["train", "network", "aggregate", "other"] as const;

/** Where the time of all rounds went. */
export function Time({ rounds }: { readonly rounds: Rounds["rounds"] }) {
  const sum = (value: (seconds: Rounds["rounds"][number]["seconds"]) => number): number =>
    rounds.reduce((total, { seconds }) => total + value(seconds), 0);
  const total = sum((seconds) => seconds.total);
  const spent = {
    train: sum(({ train }) => train),
    network: sum(({ network }) => network),
    aggregate: sum(({ aggregate }) => aggregate),
    other: 0,
  };
  spent.other = Math.max(0, total - spent.train - spent.network - spent.aggregate);
  const share = (phase: (typeof PHASES)[number]): number => (total > 0 ? (100 * spent[phase]) / total : 0);
  const says = PHASES.map((phase) => `${phase} ${share(phase).toFixed(0)} %`).join(", ");
  return (
    <>
      <h3>
        Where the time went{" "}
        <span class="faint">
          ({figure(total, 1)} s in {rounds.length} rounds)
        </span>
      </h3>
      <div class="stack" role="img" aria-label={says}>
        {PHASES.map((phase) => (
          <span key={phase} class={phase} style={{ width: `${share(phase)}%` }} />
        ))}
      </div>
      <ul class="legend">
        {PHASES.map((phase) => (
          <li key={phase}>
            <span class={`key ${phase}`} />
            {phase} <b>{share(phase).toFixed(0)} %</b>
          </li>
        ))}
      </ul>
      <NumbersBelow
        caption="Seconds of each round"
        headings={["round", "train", "network", "aggregate", "total"]}
        cells={5 * rounds.length}
        rows={() =>
          rounds.map(({ round, seconds }) => [
            round + 1,
            figure(seconds.train, 2),
            figure(seconds.network, 2),
            figure(seconds.aggregate, 2),
            figure(seconds.total, 2),
          ])
        }
      />
    </>
  );
}

/** Bytes of each round, and what they would be if updates were LoRA's. */
export function Traffic({ rounds: { rounds, loraUpdateBytes } }: { readonly rounds: Rounds }) {
  // Besides the updates all stays as it is: what is asked, gossiped and announced.
  const asLora = (bytes: number, { updateBytes, neighbours }: RoundSummary): number | null =>
    loraUpdateBytes == null || updateBytes === 0 ? null : bytes + neighbours * (loraUpdateBytes - updateBytes);
  const curves: readonly Curve[] = [
    { name: "sent", values: rounds.map(({ bytes }) => bytes.sent) },
    { name: "received", values: rounds.map(({ bytes }) => bytes.received) },
    { name: "own update", values: rounds.map(({ updateBytes }) => updateBytes) },
    ...(loraUpdateBytes == null
      ? []
      : [
          { name: "sent, with LoRA", values: rounds.map((round) => asLora(round.bytes.sent, round)) },
          { name: "received, with LoRA", values: rounds.map((round) => asLora(round.bytes.received, round)) },
        ]),
  ];
  const own = rounds.findLast(({ updateBytes }) => updateBytes > 0)?.updateBytes;
  return (
    <div>
      <Chart
        title="Bytes of each round"
        unit="bytes"
        rounds={rounds.map(({ round }) => round + 1)}
        curves={curves}
        text={(value) => (value === null ? "–" : bytesText(value))}
      />
      {loraUpdateBytes != null && own !== undefined && (
        <p>
          An update of this peer has {bytesText(own)}. LoRA of rank 8 on the layers of queries and values would have{" "}
          {bytesText(loraUpdateBytes)} in float32: <b>{timesText(loraUpdateBytes / own)}</b>.{" "}
          <span class="faint">
            The lines with LoRA are what the rounds would have cost if each update that was mixed had that size, in and
            out.
          </span>
        </p>
      )}
    </div>
  );
}

const timesText = (ratio: number): string =>
  ratio >= 1 ? `${ratio.toPrecision(2)} times as much` : `${(100 * ratio).toFixed(0)} % of that`;
