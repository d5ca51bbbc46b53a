/** How alike the data sets of this peer and of others are, from sketches; each pair is compared once. */
import type { SketchComponent } from "../../protocol/sketch.ts";
import type { DataSimilarity, Sketches } from "../interface/sketches.ts";

/** D of one sketch to others; on another thread than the network's. */
export type SketchDistances = (pairs: {
  readonly own: readonly SketchComponent[];
  readonly others: readonly (readonly SketchComponent[])[];
}) => Promise<readonly number[]>;

/** S = exp(-D / t), t the temperature. */
export function createDataSimilarity(
  { sketches, distances }: { readonly sketches: Pick<Sketches, "own" | "of">; readonly distances: SketchDistances },
  { temperature }: { readonly temperature: number },
): DataSimilarity {
  const known = new Map<string, { readonly sketch: readonly SketchComponent[]; readonly similarity: number }>();
  return {
    async of(authors) {
      const own = sketches.own();
      if (own === undefined) return new Map();
      const there = authors.flatMap((author) => {
        const sketch = sketches.of(author);
        return sketch === undefined ? [] : [{ author, sketch }];
      });
      const fresh = there.filter(({ author, sketch }) => known.get(author)?.sketch !== sketch);
      const found = fresh.length === 0 ? [] : await distances({ own, others: fresh.map(({ sketch }) => sketch) });
      for (const author of known.keys()) if (!authors.includes(author)) known.delete(author);
      for (const [i, { author, sketch }] of fresh.entries()) {
        known.set(author, { sketch, similarity: Math.exp(-found[i]! / temperature) });
      }
      return new Map(there.map(({ author }) => [author, known.get(author)!.similarity]));
    },
  };
}
