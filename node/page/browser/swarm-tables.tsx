/** The peers of a swarm as tables: how each is, and who hears whom. */
import { counted } from "../../../protocol/counted.ts";
import { PeerNames } from "../../interface/peer-names.ts";
import type { SwarmPeerView, SwarmRound } from "../../interface/swarm-view.ts";
import { Table } from "./table.tsx";
import { bytesText, clockTime, figure } from "./words.ts";

/** What a peer does, in words; one that does not answer has a time since when. */
export function stateWords({ isThere, since, said }: SwarmPeerView): string {
  if (said === undefined) return isThere ? "starting" : "has not answered yet";
  if (!isThere) return said.state === "finished" ? "finished, and gone" : `does not answer since ${clockTime(since)}`;
  return said.state === "paused" && said.pausedBecause ? `paused: ${said.pausedBecause}` : said.state;
}

/** A row for each peer. */
export function SwarmPeers({
  peers,
  rounds,
  count,
}: {
  readonly peers: readonly SwarmPeerView[];
  readonly rounds: readonly (readonly SwarmRound[])[];
  /** Rounds of the network. */
  readonly count: number;
}) {
  const names = new PeerNames(peers.flatMap(({ said }) => said?.id ?? []));
  return (
    <Table
      caption={counted(peers.length, "peer")}
      headings={[
        ...["peer", "state", "round", "validation loss", "neighbours", "sent", "received"],
        ...["training loss", "accepted", "ignored", "rejected", "id"],
      ]}
      wide={[7, 8, 9, 10, 11]}
      rows={peers.map((peer, i) => {
        const { said, isThere } = peer;
        const last = rounds[i]?.at(-1);
        const neighbours = said?.links.filter(({ isNeighbour }) => isNeighbour).length;
        return [
          `peer ${peer.number}`,
          <span class={isThere || said?.state === "finished" ? undefined : "alarm"}>{stateWords(peer)}</span>,
          said ? `${said.roundsDone}/${count}` : "–",
          last === undefined
            ? "–"
            : last.validationInterval == null
              ? figure(last.validationLoss)
              : `${figure(last.validationLoss)} ± ${figure(last.validationInterval, 2)}`,
          isThere ? (neighbours ?? "–") : "–",
          said ? bytesText(said.bytes.sent) : "–",
          said ? bytesText(said.bytes.received) : "–",
          figure(said?.loss),
          said?.updates.accepted ?? "–",
          said?.updates.ignored ?? "–",
          said?.updates.rejected ?? "–",
          said ? <span title={said.id}>{names.short(said.id)}</span> : "–",
        ];
      })}
    />
  );
}

/** A share of the weight: from here on a cell is one shade darker. */
const SHADES = [0.001, 0.05, 0.15, 0.35];
/** With more peers a table of pairs is written smaller. */
const DENSE_MIN = 10;
/** Peers that a table of pairs has room for. */
const PAIRS_MAX = 40;

/** In a row whom a peer heard in its newest round: the weight in percent, and how many rounds behind. */
export function WhoHearsWhom({ peers }: { readonly peers: readonly SwarmPeerView[] }) {
  if (!peers.some(({ said }) => said?.mix)) return <p class="faint">Nobody has mixed a round yet.</p>;
  if (peers.length > PAIRS_MAX) return <Heard peers={peers} />;
  return (
    <>
      <p>
        Each row is a peer, each column one whose update entered its newest round: its weight in percent, and in
        brackets the rounds that it was behind.
      </p>
      <Table
        caption="Who hears whom"
        isDense={peers.length > DENSE_MIN}
        headings={["hears", ...peers.map(({ number }) => String(number))]}
        rows={peers.map(({ number, said }, i) => {
          const shares = new Map(said?.mix?.neighbours.map((one) => [one.peer, one]));
          return [
            `peer ${number}`,
            ...peers.map((other, j) => {
              if (i === j) return <span class="heat faint">·</span>;
              const share = other.said && shares.get(other.said.id);
              if (!share) return <span class="heat" />;
              const shade = SHADES.filter((from) => (share.weight ?? 0) >= from).length;
              const behind = share.staleness > 0 ? ` (${share.staleness})` : "";
              return (
                <span class={`heat heard h${shade}`}>
                  {figure(100 * share.weight, 0)}
                  {behind}
                </span>
              );
            }),
          ];
        })}
      />
    </>
  );
}

/** Too many for pairs: whom each hears, as a list. */
function Heard({ peers }: { readonly peers: readonly SwarmPeerView[] }) {
  const numbers = new Map(peers.map(({ number, said }) => [said?.id, number]));
  const names = new PeerNames();
  return (
    <Table
      caption="Who hears whom"
      headings={["peer", "round", "hears"]}
      rows={peers.map(({ number, said }) => [
        `peer ${number}`,
        said?.mix ? said.mix.round + 1 : "–",
        said?.mix?.neighbours.map(({ peer }) => numbers.get(peer) ?? names.short(peer)).join(", ") ?? "–",
      ])}
    />
  );
}
