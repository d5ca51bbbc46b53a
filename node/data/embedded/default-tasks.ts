/**
 * The default data of a testnet: for every peer its own little mixture of the tuned kinds, not the same for any two
 * neighbours, so that each peer is short of what others have more of.
 */
import { createPrng, type Prng } from "../../../protocol/prng.ts";
import { NodeError } from "../../errors.ts";
import { BASE_KINDS } from "./base-kinds.ts";
import type { Task, TaskKind } from "./task-kind.ts";
import { TUNED_KINDS } from "./tuned-kinds.ts";

/** A task, and the name of its kind. */
export interface TaskRecord extends Task {
  readonly kind: string;
}

/** The tasks of one peer, divided by what they are for. */
export interface TaskSets {
  readonly train: readonly TaskRecord[];
  readonly validation: readonly TaskRecord[];
  readonly test: readonly TaskRecord[];
}

/** The name of one of these sets. */
export type TaskSetName = keyof TaskSets;

/** Whose tasks are to be made: the seed, the peer's place and the number of peers. */
export interface DefaultTasksOptions {
  readonly seed: number;
  /** Number of peers. */
  readonly peers: number;
  /** Records per peer and set. */
  readonly sizes?: Readonly<Record<TaskSetName, number>>;
  /** Names of the tuned kinds to mix; as many as there are peers, 4 at least and all at most, when absent. */
  readonly kinds?: readonly string[];
}

/** Every kind there is, base kinds first. */
export const TASK_KINDS: readonly TaskKind[] = [...BASE_KINDS, ...TUNED_KINDS];

/**
 * Records per peer: few to train on, so that a peer alone is short of data; enough to test on that one example is less
 * than a point of accuracy.
 */
export const DEFAULT_SIZES: Readonly<Record<TaskSetName, number>> = { train: 64, validation: 40, test: 120 };

/** Half of a peer's records are of its first kind, a quarter of its second; the rest is spread over all others. */
const MAIN_SHARE = 0.5;
const SECOND_SHARE = 0.25;

/** Draws per record before a kind counts as used up; the rarest prompts of the smallest kind are found long before. */
const DRAWS_MAX = 10_000;

/**
 * One set of records per peer. Peer p's first kind is kinds[p], its second kinds[p + 1] (around the list), in the same
 * shares in train, validation and test. Within a peer no prompt occurs twice, and a prompt that any peer is tested on is
 * never trained on by any peer: the prompt itself decides which set it may belong to.
 * Throws: NodeError CONFIG_INVALID (unknown kind, or none), DATA_TOO_SMALL (a kind has too few different prompts).
 */
export function defaultTasks(options: DefaultTasksOptions): TaskSets[] {
  const { seed, peers, sizes = DEFAULT_SIZES } = options;
  const kinds = options.kinds?.map(tunedKind) ?? TUNED_KINDS.slice(0, Math.max(4, peers));
  if (kinds.length === 0)
    throw new NodeError("CONFIG_INVALID", "no kind of task is named; name one or leave kinds out");
  const root = createPrng(seed).fork("default-tasks");
  return Array.from({ length: peers }, (_, peer) => {
    const prng = root.fork(`peer-${peer}`);
    const set = (name: TaskSetName): TaskRecord[] => drawSet({ name, kinds, peer, size: sizes[name], prng });
    return { train: set("train"), validation: set("validation"), test: set("test") };
  });
}

/** `count` random records of every kind of a group: what a model's skill is measured on, kind by kind. */
export function taskSamples(options: {
  readonly seed: number;
  readonly group: TaskKind["group"];
  readonly count: number;
}): TaskRecord[] {
  const prng = createPrng(options.seed).fork(`samples-${options.group}`);
  return TASK_KINDS.filter((kind) => kind.group === options.group).flatMap((kind) => {
    const stream = prng.fork(kind.name);
    return Array.from({ length: options.count }, () => ({ kind: kind.name, ...kind.generate(stream) }));
  });
}

/**
 * The set that a prompt belongs to, whichever peer draws it: half of all prompts train, a quarter each validation and
 * test.
 */
export function setOfPrompt(prompt: string): TaskSetName {
  const quarter = createPrng(0).fork(prompt).below(4);
  return quarter < 2 ? "train" : quarter === 2 ? "validation" : "test";
}

function tunedKind(name: string): TaskKind {
  const kind = TUNED_KINDS.find((candidate) => candidate.name === name);
  if (kind === undefined) {
    const known = TUNED_KINDS.map((candidate) => candidate.name).join(", ");
    throw new NodeError("CONFIG_INVALID", `there is no kind of task "${name}"; choose from ${known}`, { name });
  }
  return kind;
}

function drawSet(options: {
  readonly name: TaskSetName;
  readonly kinds: readonly TaskKind[];
  readonly peer: number;
  readonly size: number;
  readonly prng: Prng;
}): TaskRecord[] {
  const { name, kinds, peer, size, prng } = options;
  const stream = prng.fork(name);
  const seen = new Set<string>();
  const records = kindCounts({ kinds: kinds.length, peer, size }).flatMap((count, index) =>
    Array.from({ length: count }, () => drawNew({ kind: kinds[index]!, name, seen, prng: stream })),
  );
  return stream.shuffle(records);
}

function drawNew(options: {
  readonly kind: TaskKind;
  readonly name: TaskSetName;
  readonly seen: Set<string>;
  readonly prng: Prng;
}): TaskRecord {
  const { kind, name, seen, prng } = options;
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const { prompt, response } = kind.generate(prng);
    if (seen.has(prompt) || setOfPrompt(prompt) !== name) continue;
    seen.add(prompt);
    return { kind: kind.name, prompt, response };
  }
  throw new NodeError(
    "DATA_TOO_SMALL",
    `tasks of kind "${kind.name}" ran out after ${seen.size} ${name} records; ask for fewer records per peer`,
    { kind: kind.name, set: name },
  );
}

/** How many of `size` records a peer has of each kind; they add up to `size`. */
function kindCounts(options: { readonly kinds: number; readonly peer: number; readonly size: number }): number[] {
  const { kinds, peer, size } = options;
  const counts = new Array<number>(kinds).fill(0);
  const place = (offset: number): number => (peer + offset) % kinds;
  const main = Math.ceil(size * MAIN_SHARE);
  const second = Math.min(size - main, Math.round(size * SECOND_SHARE));
  counts[place(0)]! += main;
  counts[place(1)]! += second;
  const others = Math.max(1, kinds - 2);
  for (let i = 0; i < size - main - second; i++) counts[place(kinds > 2 ? 2 + (i % others) : i)]!++;
  return counts;
}
