/**
 * Training, validation and test sets by what examples say: a digest of its content puts an example on one side, in every
 * command, network and file, whatever the flags. Examples that repeat each other stand on one side.
 */
import { NodeError } from "../errors.ts";
import type { Example, ExampleSets } from "../interface/trainer.ts";
import { contentDigest, contentShare } from "./content-digest.ts";
import { type EncodeIntoOptions, encodeInto } from "./encode-records.ts";
import type { CutCounts } from "./example.ts";
import { DEFAULT_SHARES } from "./held-out.ts";
import type { DataRecord } from "./record.ts";

/** A set that examples are divided into. */
export type SetName = keyof ExampleSets;
/** All of them. */
export const SET_NAMES = ["train", "validation", "test"] as const satisfies readonly SetName[];

/** How records are encoded and divided. */
export interface ContentSetOptions extends EncodeIntoOptions {
  /** Examples that every set must have, as far as it is needed. */
  readonly batchSize: number;
  /** The sets that must not be empty; default all three. */
  readonly needed?: readonly SetName[];
  /** Digests of what an adapter was trained on before; such examples are held out no more. */
  readonly trained?: ReadonlySet<string>;
  /** Records of files of their own, which are held out whole. */
  readonly given?: { readonly validation?: readonly DataRecord[]; readonly test?: readonly DataRecord[] };
}

/** Records as divided sets of examples, and what there is to say about the division. */
export interface ContentSets {
  readonly sets: ExampleSets;
  readonly cut: CutCounts;
  /** Digests of the records that are trained on. */
  readonly digests: ReadonlySet<string>;
  /** Records that stand in the file more than once, the first of each not counted. */
  readonly repeated: number;
  /** Records that would be held out but for having been trained on before. */
  readonly leftOut: number;
  /** Records that their field `set` holds out, and which it also has in the training set. */
  readonly alsoTrained: number;
  /** Records that are not trained on because a file of validation or test has them too. */
  readonly alsoGiven: number;
}

/** Records that say the same, and their examples. */
interface Group {
  readonly share: number;
  readonly digests: Set<string>;
  readonly examples: Example[];
  records: number;
  /** The set that its records name. */
  readonly set?: SetName;
}

/**
 * A tenth of what can be said goes to the test set and a tenth to validation, by digest: in small data as many more as
 * make a batch, those of the next digests. Where all records have a field `set`, that decides.
 * Throws: DATA_TOO_SMALL where a needed set has less than a batch; DATA_FORMAT for a `set` of no known name, or on some
 * only.
 */
export async function prepareByContent(
  records: AsyncIterable<DataRecord> | Iterable<DataRecord>,
  options: ContentSetOptions,
): Promise<ContentSets> {
  const { given = {}, trained = new Set() } = options;
  const cut = { records: 0, promptTokens: 0, responseTokens: 0 };
  const held = {
    validation: await grouped(given.validation ?? [], options, cut),
    test: await grouped(given.test ?? [], options, cut),
  };
  const main = await grouped(records, options, cut);
  const isGiven = ({ digests }: Group): boolean =>
    [...digests].some((digest) => held.validation.digests.has(digest) || held.test.digests.has(digest));
  const free = main.groups.filter((group) => !isGiven(group));
  const sides = main.assigned ? assignedSides(free, options) : contentSides(free, options);
  const wasTrained = ({ digests }: Group): boolean => [...digests].some((digest) => trained.has(digest));
  const test = given.test ? held.test.groups : sides.test;
  // What is tested is not chosen by: the test file wins where both have an example.
  const inTest = ({ digests }: Group): boolean => [...digests].some((digest) => held.test.digests.has(digest));
  const validation = given.validation ? held.validation.groups.filter((group) => !inTest(group)) : sides.validation;
  const unseen = (groups: readonly Group[]): Group[] => groups.filter((group) => !wasTrained(group));
  const train = [...sides.train, ...(given.test ? sides.test : []), ...(given.validation ? sides.validation : [])];
  const chosen = { train, validation: unseen(validation), test: unseen(test) };
  const sets = {
    train: chosen.train.flatMap(({ examples }) => examples),
    validation: chosen.validation.flatMap(({ examples }) => examples),
    test: chosen.test.flatMap(({ examples }) => examples),
  };
  const digests = new Set(train.flatMap((group) => [...group.digests]));
  const alsoTrained = [...chosen.validation, ...chosen.test].filter((group) =>
    [...group.digests].some((digest) => digests.has(digest)),
  );
  const leftOut = countRecords([...validation, ...test].filter(wasTrained)) + sides.leftOut;
  requireSets(sets, { ...options, different: main.groups.length, leftOut });
  return {
    sets,
    cut,
    digests,
    alsoTrained: countRecords(alsoTrained),
    repeated: main.repeated,
    leftOut,
    alsoGiven: countRecords(main.groups.filter(isGiven)),
  };
}

const countRecords = (groups: readonly Group[]): number => groups.reduce((sum, { records }) => sum + records, 0);

interface Grouped {
  readonly groups: readonly Group[];
  readonly digests: ReadonlySet<string>;
  readonly repeated: number;
  readonly assigned: boolean;
}

/** Records by content, and by tokens where two contents become the same example. */
async function grouped(
  records: AsyncIterable<DataRecord> | Iterable<DataRecord>,
  options: ContentSetOptions,
  cut: { records: number; promptTokens: number; responseTokens: number },
): Promise<Grouped> {
  const groupOf = new Map<string, Group>();
  const digests = new Set<string>();
  const byTokens = new Map<string, Group>();
  const groups: Group[] = [];
  let [total, named] = [0, 0];
  for await (const record of records) {
    const digest = contentDigest(record);
    const { examples, cut: lost } = encodeInto(record, total, options);
    total += 1;
    cut.records += lost.records;
    cut.promptTokens += lost.promptTokens;
    cut.responseTokens += lost.responseTokens;
    if (examples.length === 0) continue;
    const key = examples.length === 1 ? examples[0]!.tokens.join(" ") : undefined;
    // Who names the sets has decided: the same content may then stand in several, which is said.
    const set = Object.hasOwn(record.fields, "set") ? setOf(record.fields.set!) : undefined;
    const mark = set ?? "";
    let group = groupOf.get(mark + digest) ?? (key === undefined ? undefined : byTokens.get(mark + key));
    if (group === undefined) {
      group = { share: contentShare(digest), digests: new Set(), examples: [], records: 0, ...(set && { set }) };
      groups.push(group);
    }
    group.digests.add(digest);
    for (const example of examples) group.examples.push(example);
    group.records += 1;
    groupOf.set(mark + digest, group);
    digests.add(digest);
    if (key !== undefined) byTokens.set(mark + key, group);
    if (set !== undefined) named += 1;
  }
  const kept = countRecords(groups);
  if (named > 0 && named < kept) {
    const text = `${kept - named} of ${kept} records have no field "set"; give it to all or none`;
    throw new NodeError("DATA_FORMAT", text, { assigned: named, records: kept });
  }
  return { groups, digests, repeated: kept - groups.length, assigned: named > 0 };
}

/** Throws: DATA_FORMAT. */
function setOf(name: string): SetName {
  const known = SET_NAMES.find((one) => one === name);
  if (known !== undefined) return known;
  const text = `a record's set is "${name}"; it must be ${SET_NAMES.join(", ")}`;
  throw new NodeError("DATA_FORMAT", text, { set: name });
}

interface Sides {
  readonly train: readonly Group[];
  readonly validation: readonly Group[];
  readonly test: readonly Group[];
  /** Records that their digest would hold out but that were trained on before. */
  readonly leftOut: number;
}

/** As the records say; a set that none of them names is taken from those to train on, by their content. */
function assignedSides(groups: readonly Group[], options: ContentSetOptions): Sides {
  const of = (name: SetName): Group[] => groups.filter(({ set }) => set === name);
  const [train, validation, test] = [of("train"), of("validation"), of("test")];
  if (train.length === 0 || (validation.length > 0 && test.length > 0)) return { train, validation, test, leftOut: 0 };
  const given = { ...(validation.length > 0 && { validation: [] }), ...(test.length > 0 && { test: [] }) };
  const sides = contentSides(train, { ...options, given: { ...options.given, ...given } });
  return { ...sides, ...(validation.length > 0 && { validation }), ...(test.length > 0 && { test }) };
}

function contentSides(
  groups: readonly Group[],
  { batchSize, trained = new Set(), given = {} }: ContentSetOptions,
): Sides {
  const wasTrained = ({ digests }: Group): boolean => [...digests].some((digest) => trained.has(digest));
  const fresh = groups.filter((group) => !wasTrained(group)).toSorted((a, b) => a.share - b.share);
  const total = groups.reduce((sum, { examples }) => sum + examples.length, 0);
  const bounds = { test: DEFAULT_SHARES.test, validation: DEFAULT_SHARES.test + DEFAULT_SHARES.validation };
  const taken = { test: [] as Group[], validation: [] as Group[] };
  const held = new Set<Group>();
  let used = 0;
  for (const name of ["test", "validation"] as const) {
    if (given[name]) continue;
    // Small data: every set that is still to be filled has a right to a batch.
    const sets = name === "test" && !given.validation ? 3 : 2;
    const most = Math.max(batchSize, total - used - (sets - 1) * batchSize);
    let count = 0;
    for (const group of fresh) {
      if (held.has(group)) continue;
      const isHere = group.share < bounds[name] || count < batchSize;
      if (!isHere) break;
      // What is larger than a held-out set can be would crowd out everything else there: it is trained on.
      const largest = Math.max(batchSize, Math.round(total * DEFAULT_SHARES[name]));
      if (count + group.examples.length > most || group.examples.length > largest) continue;
      taken[name].push(group);
      held.add(group);
      count += group.examples.length;
    }
    used += count;
  }
  const leftOut = countRecords(groups.filter((group) => wasTrained(group) && group.share < bounds.validation));
  return { train: groups.filter((group) => !held.has(group)), ...taken, leftOut };
}

function requireSets(
  sets: ExampleSets,
  at: Pick<ContentSetOptions, "batchSize" | "needed" | "given"> & {
    readonly different: number;
    readonly leftOut: number;
  },
): void {
  const { batchSize, needed = SET_NAMES, given = {}, different, leftOut } = at;
  const least = (name: SetName): number => (needed === SET_NAMES && !(name !== "train" && given[name]) ? batchSize : 1);
  if (needed.every((name) => sets[name].length >= least(name))) return;
  const { train, validation, test } = sets;
  const total = train.length + validation.length + test.length;
  const facts = { total, different, batchSize, train: train.length, validation: validation.length, test: test.length };
  const before = leftOut > 0 ? `; ${leftOut} more were trained on before and are left out` : "";
  const repeated = different < total ? ` (${different} of them different)` : "";
  const what =
    needed === SET_NAMES
      ? `there are ${total} examples${repeated}, ${3 * batchSize} are needed: one batch of ${batchSize} each to train, ` +
        `validate and test; they make ${train.length}, ${validation.length} and ${test.length}; ` +
        "give more data or a smaller batch"
      : `no example is left in the ${needed.join(" and ")} set; give more data, or a file to test on`;
  throw new NodeError("DATA_TOO_SMALL", `${what}${before}`, facts);
}
