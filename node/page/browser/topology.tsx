/** Whom the peer is connected with, as a picture and as a table. */
import { counted } from "../../../protocol/counted.ts";
import type { Link, Peers } from "./answers.ts";
import { Table } from "./table.tsx";
import { figure, foreignText, type PeerTexts } from "./words.ts";

type Other = Peers["peers"][number];

const SIZE = 400;
const RADIUS = 140;
/** More than these have no room in a picture. */
const DRAWN_MAX = 32;
/** Beside more than these there is room for a number only, which the table explains. */
const LABELLED_MAX = 10;
/** Characters of a label that have room in the picture. */
const LABEL_MAX = 14;

/** The best of several connections: a direct one before one through a relay. */
const bestLink = ({ links }: Other): Link | undefined => links.find(({ isRelayed }) => !isRelayed) ?? links[0];

/** How a link is, in a word. */
function quality(link: Link | undefined): string {
  if (link === undefined) return "not connected";
  const way = link.isRelayed ? "through a relay" : "direct";
  return link.roundTripMs === null ? way : `${way}, ${link.roundTripMs.toFixed(0)} ms`;
}

interface ShownPeers {
  readonly peers: Peers;
  readonly names: PeerTexts;
}

/** The peer in the middle, the others around it: a thicker line counts for more in the newest mix. */
export function Topology({ peers: { self, peers, unreachable }, names }: ShownPeers) {
  const drawn = peers.slice(0, DRAWN_MAX);
  return (
    <div class="columns">
      <figure style={{ margin: 0 }}>
        {peers.length === 0 ? (
          <p class="faint">Nobody is connected at the moment.</p>
        ) : (
          <Picture self={self} peers={drawn} names={names} />
        )}
        <figcaption class="faint">
          Solid: direct. Dashed: through a relay. A thicker line counts for more in the newest mix.
          {peers.length > DRAWN_MAX && ` ${DRAWN_MAX} of ${peers.length} are drawn.`}
        </figcaption>
      </figure>
      <div>
        <Table
          caption="Connections"
          headings={["peer", "link", "dialled by", "weight", "behind", "distance"]}
          rows={peers.map((other, i) => [
            <bdi title={other.peer}>
              {peers.length > LABELLED_MAX && `${i + 1} `}
              {names.name(other.peer)}
            </bdi>,
            quality(bestLink(other)),
            bestLink(other)?.direction === "inbound" ? "it" : "this peer",
            figure(other.mix?.weight, 2),
            other.mix?.staleness ?? "–",
            figure(other.mix?.distance, 2),
          ])}
        />
        {unreachable.length > 0 && (
          <>
            <h3>Cannot be reached</h3>
            <ul>
              {unreachable.map(({ address, label, reason, failures }) => (
                <li key={address}>
                  <code>{address}</code>
                  {label && <bdi> “{foreignText(label)}”</bdi>}: {reason} ({counted(failures, "time")})
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}

function Picture({
  self,
  peers,
  names,
}: {
  readonly self: string | null;
  readonly peers: readonly Other[];
  readonly names: PeerTexts;
}) {
  const centre = SIZE / 2;
  const places = peers.map((other, i) => {
    const angle = (2 * Math.PI * i) / peers.length - Math.PI / 2;
    return { other, x: centre + RADIUS * Math.cos(angle), y: centre + RADIUS * Math.sin(angle) };
  });
  const says = peers.map((other) => `${names.name(other.peer)} ${quality(bestLink(other))}`).join("; ");
  return (
    <svg
      class="map"
      viewBox={`0 0 ${SIZE} ${SIZE}`}
      role="img"
      aria-label={`${counted(peers.length, "connection")}: ${says}`}
    >
      {places.map(({ other, x, y }) => {
        const link = bestLink(other);
        const kind = other.isNeighbour ? (link?.isRelayed ? "relayed" : "") : "none";
        return (
          <line
            key={other.peer}
            class={`wire ${kind}`}
            x1={centre}
            y1={centre}
            x2={x}
            y2={y}
            stroke-width={1.5 + 8 * (other.mix?.weight ?? 0)}
          />
        );
      })}
      {places.map(({ other, x, y }, i) => (
        <g key={other.peer}>
          <circle cx={x} cy={y} r="10" />
          <text x={x} y={y < centre ? y - 16 : y + 26} text-anchor="middle">
            <title>{names.name(other.peer)}</title>
            {peers.length > LABELLED_MAX ? i + 1 : names.name(other.peer, LABEL_MAX)}
            {peers.length <= LABELLED_MAX &&
              bestLink(other)?.roundTripMs != null &&
              ` ${bestLink(other)?.roundTripMs?.toFixed(0)} ms`}
          </text>
        </g>
      ))}
      <circle class="self" cx={centre} cy={centre} r="14" />
      <text x={centre} y={centre + 34} text-anchor="middle">
        {self === null ? "this peer" : `this peer ${names.short(self)}`}
      </text>
    </svg>
  );
}
