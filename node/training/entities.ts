/**
 * Named entities from the tags of words, counted as the CoNLL evaluation does: an entity is right when its kind, its first and
 * its last word are.  Tags are B-kind, I-kind, E-kind, S-kind and O; as in the original, one that continues nothing begins
 * an entity.
 * Source: conlleval; seqeval 1.2.2, default mode.
 */
import type { EntityScore } from "../interface/trainer.ts";

/** Words from `first` up to `last`, as `kind first last`. */
type Entity = `${string} ${number} ${number}`;

/** Whether these names are of such tags. */
export const nameEntities = (labels: readonly string[]): boolean => labels.some((label) => /^[BIES]-./u.test(label));

interface Tag {
  readonly mark: string;
  readonly kind: string;
}

const OUTSIDE: Tag = { mark: "O", kind: "" };

function tagOf(name: string): Tag {
  const kind = name.slice(1).replace(/^[^-]*-/u, "");
  return { mark: name.slice(0, 1), kind: kind === "" ? "_" : kind };
}

const isInside = ({ mark }: Tag): boolean => mark !== "O" && mark !== ".";

function ends(before: Tag, { mark, kind }: Tag): boolean {
  if (before.mark === "E" || before.mark === "S") return true;
  if ((before.mark === "B" || before.mark === "I") && (mark === "B" || mark === "S" || mark === "O")) return true;
  return isInside(before) && before.kind !== kind;
}

function begins(before: Tag, tag: Tag): boolean {
  if (tag.mark === "B" || tag.mark === "S") return true;
  const continues = tag.mark === "E" || tag.mark === "I";
  if (continues && (before.mark === "E" || before.mark === "S" || before.mark === "O")) return true;
  return isInside(tag) && before.kind !== tag.kind;
}

/** The entities of one text's tags. */
export function entitiesOf(names: readonly string[]): ReadonlySet<Entity> {
  const found = new Set<Entity>();
  let [before, first] = [OUTSIDE, 0];
  for (const [i, name] of [...names, "O"].entries()) {
    const tag = tagOf(name);
    if (ends(before, tag)) found.add(`${before.kind} ${first} ${i - 1}`);
    if (begins(before, tag)) first = i;
    before = tag;
  }
  return found;
}

/** Entities of many texts. */
export class EntityCounts {
  #right = 0;
  #found = 0;
  #both = 0;

  /** right, found: tags of one text. */
  add(right: readonly string[], found: readonly string[]): void {
    const [a, b] = [entitiesOf(right), entitiesOf(found)];
    this.#right += a.size;
    this.#found += b.size;
    for (const entity of a) if (b.has(entity)) this.#both += 1;
  }

  /** Shares of none are 0. */
  score(): EntityScore {
    const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
    return {
      precision: share(this.#both, this.#found),
      recall: share(this.#both, this.#right),
      f1: share(2 * this.#both, this.#found + this.#right),
      count: this.#right,
    };
  }
}
