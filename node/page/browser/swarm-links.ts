/** Who is connected with whom in a swarm, and into which parts it falls. */
import type { SwarmLink, SwarmPeerView } from "../../interface/swarm-view.ts";

/** A connection of two peers, by their places in the list of peers. */
export interface SwarmEdge {
  readonly a: number;
  readonly b: number;
  readonly link: SwarmLink;
}

/** Every connection that one of its ends tells of and whose other end is there: a peer that is gone hears nobody. */
export function edgesOf(peers: readonly SwarmPeerView[]): readonly SwarmEdge[] {
  const places = new Map(peers.map(({ said }, i) => [said?.id, i]));
  const found = new Map<string, SwarmEdge>();
  for (const [i, { isThere, said }] of peers.entries()) {
    if (!isThere) continue;
    for (const link of said?.links ?? []) {
      const j = places.get(link.peer);
      if (j === undefined || j === i || peers[j]?.isThere !== true) continue;
      const [a, b] = i < j ? [i, j] : [j, i];
      const before = found.get(`${a} ${b}`);
      // The end that has measured it, or that has admitted the other, says more.
      if (before === undefined || (before.link.roundTripMs === null && link.roundTripMs !== null))
        found.set(`${a} ${b}`, {
          a,
          b,
          link: { ...link, isNeighbour: link.isNeighbour || before?.link.isNeighbour === true },
        });
    }
  }
  return [...found.values()];
}

/** The places of peers that are there, by parts that hear each other; a single part where all do. */
export function partsOf(peers: readonly SwarmPeerView[], edges: readonly SwarmEdge[]): readonly (readonly number[])[] {
  const parts: number[][] = [];
  const left = new Set(peers.flatMap(({ isThere }, i) => (isThere ? [i] : [])));
  for (const first of left) {
    left.delete(first);
    const part = [first];
    for (const place of part) {
      for (const { a, b, link } of edges) {
        const other = a === place ? b : b === place ? a : undefined;
        if (other === undefined || !link.isNeighbour || !left.delete(other)) continue;
        part.push(other);
      }
    }
    parts.push(part.sort((x, y) => x - y));
  }
  return parts;
}

/** How a link is, in words. */
export function linkWords({ isRelayed, roundTripMs, isNeighbour }: SwarmLink): string {
  const way = isRelayed ? "through a relay" : "direct";
  const time = roundTripMs === null ? "" : `, ${roundTripMs.toFixed(roundTripMs < 10 ? 1 : 0)} ms`;
  return `${way}${time}${isNeighbour ? "" : ", not admitted yet"}`;
}

/** How good a link is, by its round trip: up to 20 ms as within a building, up to 100 ms as within a continent. */
export function linkQuality({ roundTripMs }: SwarmLink): "good" | "fair" | "poor" | "unknown" {
  if (roundTripMs === null) return "unknown";
  return roundTripMs <= 20 ? "good" : roundTripMs <= 100 ? "fair" : "poor";
}
