/** The page of all peers of a swarm. */
import { useMemo } from "preact/hooks";
import { counted } from "../../../protocol/counted.ts";
import type { SwarmPeerView, SwarmRound, SwarmView } from "../../interface/swarm-view.ts";
import { Locked, useToken } from "./locked.tsx";
import { FactList, PageFrame } from "./page-frame.tsx";
import { ByteCharts } from "./report-costs.tsx";
import { type CurvesPeer, LossCurves, LossMap, roundsOf } from "./report-rounds.tsx";
import { edgesOf, partsOf } from "./swarm-links.ts";
import { partsText, SwarmMap } from "./swarm-map.tsx";
import { useSwarm } from "./swarm-state.ts";
import { SwarmPeers, WhoHearsWhom } from "./swarm-tables.tsx";
import { bytesText, figure } from "./words.ts";

const SECTIONS = ["Losses", "Connections", "Peers", "Who hears whom", "Traffic"] as const;

/** Everything that is shown of a swarm. */
export function Swarm() {
  const [token, takeToken] = useToken();
  const { view, rounds, trouble, isLocked } = useSwarm(token);
  if (isLocked || token === undefined) {
    return (
      <Locked place="page/admin-token in the swarm's folder" isRefused={token !== undefined} onToken={takeToken} />
    );
  }
  const peers = view?.peers ?? [];
  return (
    <PageFrame
      title={view ? `${view.name || "weft"}: a swarm of ${counted(peers.length, "peer")}` : "weft"}
      state={view ? stateOf(peers) : "asking the swarm…"}
      trouble={trouble}
      sections={SECTIONS}
      footer="All on this page is what the peers on this machine say of themselves, and nothing comes from elsewhere."
    >
      {view && <Facts view={view} rounds={rounds} />}
      {view && <Sections view={view} rounds={rounds} />}
    </PageFrame>
  );
}

interface Shown {
  readonly view: SwarmView;
  readonly rounds: readonly (readonly SwarmRound[])[];
}

/** How the peers are, in a sentence. */
function stateOf(peers: readonly SwarmPeerView[]): string {
  const there = peers.filter(({ isThere }) => isThere).length;
  const parts = partsText(partsOf(peers, edgesOf(peers)));
  const all = counted(peers.length, "peer");
  return `${there === peers.length ? `all ${all}` : `${there} of ${all}`} answer${parts ? `; ${parts}` : ""}`;
}

function Facts({ view: { peers, rounds: count }, rounds }: Shown) {
  const there = peers.filter(({ isThere }) => isThere);
  const done = peers.flatMap(({ said }) => (said ? [said.roundsDone] : []));
  const [least, most] = [Math.min(...done), Math.max(...done)];
  const losses = rounds.flatMap((own) => own.at(-1)?.validationLoss ?? []);
  const mean = losses.reduce((sum, one) => sum + one, 0) / losses.length;
  const sum = (way: "sent" | "received"): number =>
    peers.reduce((total, { said }) => total + (said?.bytes[way] ?? 0), 0);
  const edges = edgesOf(peers);
  const relayed = edges.filter(({ link }) => link.isRelayed).length;
  const facts: readonly (readonly [string, string])[] = [
    ["peers", `${there.length} of ${peers.length}`],
    ["rounds", done.length === 0 ? "–" : `${least === most ? most : `${least} to ${most}`} of ${count}`],
    ["mean validation loss", figure(mean)],
    ["paused", String(there.filter(({ said }) => said?.state === "paused").length)],
    ["links", relayed > 0 ? `${edges.length}, ${relayed} relayed` : String(edges.length)],
    ["parts", String(partsOf(peers, edges).length)],
    ["sent", bytesText(sum("sent"))],
    ["received", bytesText(sum("received"))],
  ];
  return <FactList facts={facts} />;
}

function Sections({ view, rounds }: Shown) {
  const { peers, rounds: count } = view;
  // What a report brings comes once, at the end of a peer's rounds.
  const reports = peers.map(({ said }) => said?.report !== null && said?.base).join();
  const charts = useMemo(() => <Charts peers={peers} rounds={rounds} />, [rounds, reports]);
  const traffic = useMemo(() => <Traffic peers={peers} rounds={rounds} />, [rounds]);
  return (
    <>
      <h2 id="losses">Losses</h2>
      {charts}
      <h2 id="connections">Connections</h2>
      <SwarmMap peers={peers} />
      <h2 id="peers">Peers</h2>
      <SwarmPeers peers={peers} rounds={rounds} count={count} />
      <h2 id="who-hears-whom">Who hears whom</h2>
      <WhoHearsWhom peers={peers} />
      <h2 id="traffic">Traffic</h2>
      {traffic}
    </>
  );
}

interface Told {
  readonly peers: readonly SwarmPeerView[];
  readonly rounds: readonly (readonly SwarmRound[])[];
}

const curvesPeers = ({
  peers,
  rounds,
}: Told): readonly (CurvesPeer & { readonly validation: { readonly rounds: readonly SwarmRound[] } })[] =>
  peers.map(({ number, said }, i) => ({
    name: `peer ${number}`,
    validation: {
      rounds: rounds[i] ?? [],
      ...(said?.base && { base: said.base }),
      ...(said?.report?.aloneRounds && { alone: said.report.aloneRounds }),
    },
  }));

function Charts(told: Told) {
  const shown = curvesPeers(told);
  const numbers = roundsOf(shown);
  if (numbers.length === 0) return <p class="faint">Nothing yet: no peer has done its first round.</p>;
  return (
    <>
      <LossCurves peers={shown} />
      {shown.length > 1 && <LossMap peers={shown} />}
    </>
  );
}

function Traffic(told: Told) {
  const shown = curvesPeers(told);
  return <ByteCharts peers={shown} rounds={roundsOf(shown)} />;
}
