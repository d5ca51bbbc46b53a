/** Scores on the test data: of the base model, alone, in the swarm and in one place. */
import { counted } from "../../../protocol/counted.ts";
import type { ReportPeer } from "../../interface/report-document.ts";
import { Table } from "./table.tsx";
import { figure } from "./words.ts";

/** More peers than these are shown as one: nobody compares so many groups of bars. */
const GROUPS_MAX = 8;
const KINDS = ["base", "alone", "swarm", "central"] as const;
type Kind = (typeof KINDS)[number];

const percent = (share: number | undefined): string => (share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);

/** Nothing where no peer has got as far. */
export function Scores({ peers }: { readonly peers: readonly ReportPeer[] }) {
  const scored = peers.filter(({ swarm }) => swarm !== undefined);
  if (scored.length === 0) return null;
  const kinds = KINDS.filter((kind) => scored.some((peer) => peer[kind] !== undefined));
  return (
    <>
      <h2>Held-out loss and accuracy</h2>
      <p>
        On test data that decided nothing. Loss in nats per response token (lower is better), accuracy as the share of
        response tokens predicted exactly (higher is better).{" "}
        {kinds.includes("central") &&
          "Central is one training with everybody's data and everybody's steps, which no swarm could be expected to beat; way is how much of the way from alone to central the swarm went."}
      </p>
      <Table
        caption={scored.length === 1 ? "Held-out scores" : "Held-out scores per peer"}
        headings={[
          "peer",
          "base",
          "alone",
          "swarm",
          "swarm − alone",
          "central",
          "way",
          "base acc.",
          "alone acc.",
          "swarm acc.",
          "examples",
        ]}
        wide={[1, 2, 5, 6, 7, 8, 9, 10]}
        rows={peers.map((peer) => {
          const { name, base, alone, swarm, central, isWorse, examples } = peer;
          return [
            name,
            spread(base),
            spread(alone),
            spread(swarm),
            <span class={isWorse ? "alarm" : undefined}>
              {difference(peer)}
              {isWorse && " worse"}
            </span>,
            figure(central?.loss),
            wayText(peer),
            percent(base?.accuracy),
            percent(alone?.accuracy),
            percent(swarm?.accuracy),
            examples?.train ?? "–",
          ];
        })}
      />
      <ul class="legend">
        {kinds.map((kind) => (
          <li key={kind}>
            <span class={`key ${kind}`} />
            {kind}
          </li>
        ))}
      </ul>
      <Bars peers={scored} kinds={kinds} />
    </>
  );
}

const spread = (score: { readonly loss: number; readonly interval?: number | null | undefined } | undefined): string =>
  score === undefined
    ? "–"
    : score.interval == null
      ? figure(score.loss)
      : `${figure(score.loss)} ± ${figure(score.interval, 2)}`;

/** Of the losses as they are printed, so that the three columns agree. */
function difference({ alone, swarm }: ReportPeer): string {
  if (alone === undefined || swarm === undefined) return "–";
  const value = Number(figure(swarm.loss)) - Number(figure(alone.loss));
  return Number.isNaN(value) ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

/** A way shorter than this has no shares. */
const WAY_MIN = 0.02;

function wayText({ alone, swarm, central }: ReportPeer): string {
  if (alone === undefined || swarm === undefined || central === undefined) return "–";
  const way = alone.loss - central.loss;
  if (!(way >= WAY_MIN)) return "–";
  return `${((100 * (alone.loss - swarm.loss)) / way).toFixed(0).replace("-", "−")} %`;
}

interface Group {
  readonly name: string;
  readonly scores: readonly { readonly kind: Kind; readonly loss: number; readonly accuracy: number }[];
}

function Bars({ peers, kinds }: { readonly peers: readonly ReportPeer[]; readonly kinds: readonly Kind[] }) {
  const groups: readonly Group[] =
    peers.length > GROUPS_MAX
      ? [meanOf(peers, kinds)]
      : peers.map((peer) => ({
          name: peer.name,
          scores: kinds.flatMap((kind) => {
            const score = peer[kind];
            return score ? [{ kind, loss: score.loss, accuracy: score.accuracy }] : [];
          }),
        }));
  const lossMax = Math.max(1e-9, ...groups.flatMap(({ scores }) => scores.map(({ loss }) => loss || 0)));
  return (
    <div class="bars">
      {groups.map(({ name, scores }) => (
        <section key={name}>
          <h3>{name}</h3>
          <p class="faint">loss</p>
          {scores.map(({ kind, loss }) => (
            <Bar key={kind} kind={kind} share={loss / lossMax} number={figure(loss)} />
          ))}
          <p class="faint">accuracy</p>
          {scores.map(({ kind, accuracy }) => (
            <Bar key={kind} kind={kind} share={accuracy} number={percent(accuracy)} />
          ))}
        </section>
      ))}
    </div>
  );
}

function meanOf(peers: readonly ReportPeer[], kinds: readonly Kind[]): Group {
  const scores = kinds.map((kind) => {
    const all = peers.flatMap((peer) => peer[kind] ?? []);
    const mean = (value: (one: { readonly loss: number; readonly accuracy: number }) => number): number =>
      all.reduce((sum, one) => sum + value(one), 0) / all.length;
    return { kind, loss: mean(({ loss }) => loss), accuracy: mean(({ accuracy }) => accuracy) };
  });
  return { name: `mean of ${counted(peers.length, "peer")}`, scores };
}

function Bar({ kind, share, number }: { readonly kind: Kind; readonly share: number; readonly number: string }) {
  const width = `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(2)}%`;
  return (
    <div class="bar">
      <span>{kind}</span>
      <span class="track" aria-hidden="true">
        <span class={kind} style={{ width }} />
      </span>
      <span class="number">{number}</span>
    </div>
  );
}
