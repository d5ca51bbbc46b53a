/** What the rounds have come to: losses, neighbours, bytes and time. */
import { useState } from "preact/hooks";
import type { Mix, Rounds } from "./answers.ts";
import { Chart, type Curve } from "./chart.tsx";
import { NumbersBelow } from "./table.tsx";
import { bytesText, figure, shortPeer } from "./words.ts";

const nats = (value: number | null): string => figure(value);

/** Training and validation loss, and once it is known what the base and training alone have. */
export function Losses({ rounds: { rounds, report, base } }: { readonly rounds: Rounds }) {
  const level = (name: string, loss: number | undefined): readonly Curve[] =>
    loss === undefined ? [] : [{ name, values: rounds.map(() => loss) }];
  const edge = (sign: number) =>
    rounds.map(({ validationLoss, validationInterval }) =>
      validationInterval == null ? null : validationLoss + sign * validationInterval,
    );
  const band = rounds.some(({ validationInterval }) => validationInterval != null);
  const alone = new Map(report?.aloneRounds?.map(({ round, loss }) => [round, loss]));
  const curves: readonly Curve[] = [
    {
      name: "swarm, validation",
      values: rounds.map(({ validationLoss }) => validationLoss),
      ...(band && { band: { low: edge(-1), high: edge(1) } }),
    },
    ...(alone.size > 0
      ? [{ name: "alone, validation", values: rounds.map(({ round }) => alone.get(round) ?? null) }]
      : []),
    ...level("base, validation", base?.loss),
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
        {band && <p class="faint">The band is the 95 % interval of the validation loss.</p>}
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
} as const;
type Measure = keyof typeof MEASURES;

/** Each neighbour over the rounds. */
export function Neighbours({ mixes }: { readonly mixes: readonly Mix[] }) {
  const [measure, choose] = useState<Measure>("weight");
  const { title, unit, digits } = MEASURES[measure];
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
      <Chart
        title={title}
        unit={unit}
        rounds={mixes.map(({ round }) => round + 1)}
        curves={curvesOf(mixes, measure)}
        text={(value) => figure(value, digits)}
      />
    </>
  );
}

/** A line for each neighbour; those that count for most over all rounds come first. */
function curvesOf(mixes: readonly Mix[], measure: Measure): readonly Curve[] {
  const weights = new Map<string, number>();
  for (const { neighbours } of mixes) {
    for (const { peer, weight } of neighbours) weights.set(peer, (weights.get(peer) ?? 0) + weight);
  }
  const peers = [...weights].sort(([, a], [, b]) => b - a).map(([peer]) => peer);
  return peers.map((peer) => ({
    name: shortPeer(peer),
    values: mixes.map(({ neighbours }) => neighbours.find((one) => one.peer === peer)?.[measure] ?? null),
  }));
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
        rows={rounds.map(({ round, seconds }) => [
          round + 1,
          figure(seconds.train, 2),
          figure(seconds.network, 2),
          figure(seconds.aggregate, 2),
          figure(seconds.total, 2),
        ])}
      />
    </>
  );
}

/** Bytes of each round. */
export function Traffic({ rounds }: { readonly rounds: Rounds["rounds"] }) {
  const curves: readonly Curve[] = [
    { name: "sent", values: rounds.map(({ bytes }) => bytes.sent) },
    { name: "received", values: rounds.map(({ bytes }) => bytes.received) },
    { name: "own update", values: rounds.map(({ updateBytes }) => updateBytes) },
  ];
  return (
    <Chart
      title="Bytes of each round"
      unit="bytes"
      rounds={rounds.map(({ round }) => round + 1)}
      curves={curves}
      text={(value) => (value === null ? "–" : bytesText(value))}
    />
  );
}
