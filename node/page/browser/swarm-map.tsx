/** All peers of a swarm as a picture: who is connected with whom, how well, and through relays. */
import { counted } from "../../../protocol/counted.ts";
import type { SwarmPeerView } from "../../interface/swarm-view.ts";
import { edgesOf, linkQuality, linkWords, partsOf, type SwarmEdge } from "./swarm-links.ts";
import { NumbersBelow } from "./table.tsx";

const SIZE = 460;
const RADIUS = 190;
/** Peers that have room for a number beside them. */
const LABELLED_MAX = 64;
const WIDTHS = { good: 3, fair: 2, poor: 1.2, unknown: 1.2 } as const;

/** The picture, what it means, and the links as a table. */
export function SwarmMap({ peers }: { readonly peers: readonly SwarmPeerView[] }) {
  const edges = edgesOf(peers);
  const parts = partsOf(peers, edges);
  const name = (place: number): string => `peer ${place + 1}`;
  return (
    <figure style={{ margin: 0 }}>
      <Picture peers={peers} edges={edges} parts={parts} />
      <figcaption class="faint">
        Solid: direct. Dashed: through a relay. Dotted: not admitted yet. Thick: round trip up to 20 ms; thinner: up to
        100 ms; thinnest: longer, or not measured. A filled peer is there, ‖ is paused, ✓ has done all its rounds, ×
        does not answer.
      </figcaption>
      <NumbersBelow
        caption={counted(edges.length, "link")}
        headings={["link", "how", "round trip"]}
        cells={3 * edges.length}
        rows={() => edges.map(({ a, b, link }) => [`${name(a)} – ${name(b)}`, linkWords(link), linkQuality(link)])}
      />
    </figure>
  );
}

/** What is drawn on a peer. */
function mark({ isThere, said }: SwarmPeerView): string {
  if (!isThere) return "×";
  if (said?.state === "paused") return "‖";
  return said?.state === "finished" ? "✓" : "";
}

function Picture({
  peers,
  edges,
  parts,
}: {
  readonly peers: readonly SwarmPeerView[];
  readonly edges: readonly SwarmEdge[];
  readonly parts: readonly (readonly number[])[];
}) {
  const centre = SIZE / 2;
  const places = peers.map((_, i) => {
    const angle = (2 * Math.PI * i) / peers.length - Math.PI / 2;
    return { cos: Math.cos(angle), sin: Math.sin(angle) };
  });
  const at = (place: number, radius: number): { readonly x: number; readonly y: number } => {
    const { cos, sin } = places[place] ?? { cos: 0, sin: 0 };
    return { x: centre + radius * cos, y: centre + radius * sin };
  };
  const dot = peers.length > 32 ? 5 : 11;
  const relayed = edges.filter(({ link }) => link.isRelayed).length;
  const gone = peers.flatMap(({ isThere, number }) => (isThere ? [] : [number]));
  const says = [
    `${counted(peers.length, "peer")}, ${counted(edges.length, "link")}, ${relayed} through relays`,
    partsText(parts) ?? "all that are there hear each other",
    ...(gone.length > 0 ? [`no answer of ${gone.join(", ")}`] : []),
  ].join("; ");
  return (
    <svg class="map of-swarm" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={says}>
      {edges.map(({ a, b, link }) => {
        const [from, to] = [at(a, RADIUS), at(b, RADIUS)];
        const kind = link.isNeighbour ? (link.isRelayed ? "relayed" : "") : "none";
        return (
          <line
            key={`${a} ${b}`}
            class={`wire ${kind}`}
            {...{ x1: from.x, y1: from.y, x2: to.x, y2: to.y }}
            stroke-width={WIDTHS[linkQuality(link)]}
            opacity={edges.length > 60 ? 0.45 : 0.8}
          />
        );
      })}
      {peers.map((peer, i) => {
        const { x, y } = at(i, RADIUS);
        const label = at(i, RADIUS + dot + 12);
        return (
          <g key={peer.number} class={peer.isThere ? "there" : "gone"}>
            <circle cx={x} cy={y} r={dot} />
            <text class="mark" x={x} y={y + 5} text-anchor="middle">
              {mark(peer)}
            </text>
            {peers.length <= LABELLED_MAX && (
              <text x={label.x} y={label.y + 4} text-anchor="middle">
                {peer.number}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}

/** Into which parts the peers fall that are there, by their numbers; undefined where they are one. */
export function partsText(parts: readonly (readonly number[])[]): string | undefined {
  if (parts.length < 2) return undefined;
  return `${parts.length} parts that do not hear each other: ${parts
    .map((part) => part.map((place) => place + 1).join(", "))
    .join(" / ")}`;
}
