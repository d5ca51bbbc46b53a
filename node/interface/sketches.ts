/** Sketches of data sets, this peer's and the others', and what is made of them. */
import type { SketchComponent } from "../../protocol/sketch.ts";

/** Sketches that this peer has and sends. */
export interface Sketches {
  /** Whether this peer's role lets it send one. */
  isAuthor(): boolean;
  /**
   * Sign this peer's sketch, keep it durably and hand it out from now on; one that was published before stays.
   * Throws: NodeError DISK_FULL, STORE_FAILED.
   */
  publish(components: readonly SketchComponent[]): Promise<void>;
  /** This peer's, as the others have it; undefined where there is none, or not yet. */
  own(): readonly SketchComponent[] | undefined;
  /** An author's, where this peer has it. */
  of(author: string): readonly SketchComponent[] | undefined;
}

/** How alike this peer's data set and others' are. */
export interface DataSimilarity {
  /** exp(-D / t) for each author whose sketch is known; none where this peer has no sketch of its own. */
  of(authors: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
