/** Divides records among peers: whole groups, shuffled, or skewed by Dirichlet proportions. All from one seed. */

import { closestName } from "../../protocol/closest-name.ts";
import { createPrng, type Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import { contentDigest } from "./content-digest.ts";
import { dirichlet } from "./dirichlet.ts";
import type { DataRecord } from "./record.ts";
import type { SplitRule } from "./split-rule.ts";

/** How records are divided: the rule, the number of peers and the seed. */
export interface PartitionOptions {
  readonly rule: SplitRule;
  /** Number of peers, n. */
  readonly peers: number;
  readonly seed: number;
  /** Whether records that say the same go to one peer, unless a field divides them; default apart. */
  readonly repeated?: "apart" | "together";
}

/** Draws of Dirichlet proportions until every peer has a record; a skew that needs more is too strong for the data. */
const DIRICHLET_DRAWS_MAX = 100;

/**
 * The records of each peer; every record goes to exactly one, and every peer gets at least one.
 * Throws: NodeError DATA_TOO_SMALL (not enough records or groups for so many peers), CONFIG_INVALID (no such field),
 * DATA_FORMAT (a record without the field).
 */
export function partition(records: readonly DataRecord[], options: PartitionOptions): DataRecord[][] {
  const { rule, peers, seed, repeated = "apart" } = options;
  if (!Number.isSafeInteger(peers) || peers < 1) {
    throw new NodeError("CONFIG_INVALID", `${peers} is not a number of peers; give 1 or more`, { peers });
  }
  if (records.length < peers) {
    const text = `${records.length} records are too few for ${peers} peers; give more data or fewer peers`;
    throw new NodeError("DATA_TOO_SMALL", text, { records: records.length, peers });
  }
  const prng = createPrng(seed).fork("partition");
  switch (rule.kind) {
    case "iid":
      return deal(prng.shuffle(enough(units(records, repeated), peers)), peers).map((own) => own.flat());
    case "field":
      return assignGroups([...groupBy(records, rule.field)], { peers, field: rule.field, prng });
    case "dirichlet": {
      const field = rule.field ?? onlyField(records);
      const groups = field === undefined ? [records] : [...groupBy(records, field).values()];
      const divided = groups.map((group) => units(group, repeated));
      return skew(divided, { peers, alpha: rule.alpha, prng }).map((own) => own.flat());
    }
  }
}

/** What goes to one peer as a whole: a record, or all records that say the same. */
function units(records: readonly DataRecord[], repeated: "apart" | "together"): DataRecord[][] {
  if (repeated === "apart") return records.map((record) => [record]);
  const byDigest = new Map<string, DataRecord[]>();
  for (const record of records) {
    const digest = contentDigest(record);
    const group = byDigest.get(digest);
    if (group === undefined) byDigest.set(digest, [record]);
    else group.push(record);
  }
  return [...byDigest.values()];
}

function enough<T>(different: readonly T[], peers: number): readonly T[] {
  if (different.length >= peers) return different;
  const text = `${different.length} different records are too few for ${peers} peers; give more data or fewer peers`;
  throw new NodeError("DATA_TOO_SMALL", text, { different: different.length, peers });
}

function deal<T>(items: readonly T[], peers: number): T[][] {
  return Array.from({ length: peers }, (_, peer) => items.filter((_, index) => index % peers === peer));
}

/** Records by their value of a field, in order of first appearance. */
function groupBy(records: readonly DataRecord[], field: string): Map<string, DataRecord[]> {
  const groups = new Map<string, DataRecord[]>();
  let without = 0;
  for (const record of records) {
    const value = Object.hasOwn(record.fields, field) ? record.fields[field] : undefined;
    if (value === undefined) without++;
    else if (groups.has(value)) groups.get(value)!.push(record);
    else groups.set(value, [record]);
  }
  if (without === records.length) throw unknownField(records, field);
  if (without > 0) {
    const text = `${without} of ${records.length} records have no field "${field}"; add it to them or split by another`;
    throw new NodeError("DATA_FORMAT", text, { field, without });
  }
  return groups;
}

function unknownField(records: readonly DataRecord[], field: string): NodeError {
  const names = [...fieldNames(records)];
  const near = closestName(field, names);
  const known = names.length === 0 ? "they have none, split iid" : `they have ${names.join(", ")}`;
  const hint = near === undefined ? known : `did you mean "${near}"?`;
  return new NodeError("CONFIG_INVALID", `no record has a field "${field}"; ${hint}`, { field, names });
}

function fieldNames(records: readonly DataRecord[]): Set<string> {
  return new Set(records.flatMap(({ fields }) => Object.keys(fields)));
}

/** The field to skew by when none is named: the only one there is; none when there is none (then sizes are skewed). */
function onlyField(records: readonly DataRecord[]): string | undefined {
  const names = [...fieldNames(records)];
  if (names.length <= 1) return names[0];
  const text = `records have the fields ${names.join(", ")}; say which one, as in dirichlet:0.3:${names[0]}`;
  throw new NodeError("CONFIG_INVALID", text, { names });
}

/** Largest group first, each to the peer that has least so far; equal sizes and equal loads in a seeded order. */
function assignGroups(
  groups: readonly (readonly [value: string, records: readonly DataRecord[]])[],
  { peers, field, prng }: { readonly peers: number; readonly field: string; readonly prng: Prng },
): DataRecord[][] {
  if (groups.length < peers) {
    const text = `field "${field}" has ${groups.length} values, too few for ${peers} peers; use fewer peers or split iid`;
    throw new NodeError("DATA_TOO_SMALL", text, { field, values: groups.length, peers });
  }
  const order = prng.shuffle(groups).sort(([, a], [, b]) => b.length - a.length);
  const assigned: DataRecord[][] = Array.from({ length: peers }, () => []);
  for (const [, records] of order) {
    const least = assigned.reduce((best, own) => (own.length < best.length ? own : best));
    for (const record of records) least.push(record);
  }
  return prng.shuffle(assigned);
}

function skew<T>(
  groups: readonly (readonly T[])[],
  { peers, alpha, prng }: { readonly peers: number; readonly alpha: number; readonly prng: Prng },
): T[][] {
  for (let draw = 0; draw < DIRICHLET_DRAWS_MAX; draw++) {
    const assigned: T[][] = Array.from({ length: peers }, () => []);
    for (const group of groups) {
      const shares = dirichlet(prng, { alpha, count: peers });
      const shuffled = prng.shuffle(group);
      let [cumulative, from] = [0, 0];
      for (const [peer, share] of shares.entries()) {
        cumulative += share;
        const to = peer === peers - 1 ? shuffled.length : Math.round(cumulative * shuffled.length);
        for (const one of shuffled.slice(from, to)) assigned[peer]!.push(one);
        from = to;
      }
    }
    if (assigned.every((own) => own.length > 0)) return assigned;
  }
  const text = `dirichlet(${alpha}) leaves one of ${peers} peers without records; use a larger alpha or fewer peers`;
  throw new NodeError("DATA_TOO_SMALL", text, { alpha, peers });
}
