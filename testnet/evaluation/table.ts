/**
 * The declared table: which methods are compared, on which data, in which divisions, with which seeds. A JSON file that is
 * checked before anything runs; adapters, training, aggregation and reference models are written as in a manifest.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { NodeError } from "../../node/errors.ts";
import { ATTACKS } from "./attack.ts";
import { MEETING_PEERS_MIN, MEETINGS, type MeetingKind } from "./meetings.ts";
import type { Method } from "./method.ts";

const name = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,47}$/, "must be lower-case letters, digits, dots and dashes");
const count = (max: number) => z.number().int().min(1).max(max);
/** What a manifest's schema checks again, field by field, when the cell's manifest is made. */
const manifestPart = z.record(z.string(), z.unknown());
const distinct = (names: readonly unknown[]): boolean => new Set(names).size === names.length;

const learningRates = z.array(z.number().gt(0).max(10)).min(1).max(8);

const method = z
  .strictObject({
    name,
    title: z.string().min(1).max(80),
    exchange: z.enum(["none", "others", "all", "pooled"]),
    /** Whether all that the row does not say, learning rate and schedule too, is what a new network has. */
    shipped: z.literal(true).optional(),
    adapter: manifestPart.optional(),
    aggregation: manifestPart.optional(),
    reference: manifestPart.optional(),
    encoding: manifestPart.optional(),
    training: manifestPart.optional(),
    /** Tried on the tuning seed, of a shipped one in place of the recipe's rate; the one with the least validation loss of the swarm is used for all seeds. */
    learningRates: learningRates.optional(),
    /** The method whose learning rate is used, where it is not tuned by itself. */
    rateOf: name.optional(),
    /** The method without reference model that it is compared with for what is forgotten. */
    withoutReference: name.optional(),
  })
  .refine(
    ({ shipped, learningRates, rateOf }) =>
      (learningRates === undefined || rateOf === undefined) &&
      (shipped === undefined ? (learningRates ?? rateOf) !== undefined : rateOf === undefined),
    "must have either learningRates or rateOf; a shipped one may have learningRates",
  )
  .refine(({ shipped, adapter }) => shipped !== undefined || adapter !== undefined, "must have an adapter");

const split = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("distinct") }),
  z.strictObject({ kind: z.literal("mixed") }),
  z.strictObject({ kind: z.literal("mixture") }),
  z.strictObject({ kind: z.literal("dirichlet"), alpha: z.number().gt(0).max(1000) }),
  z.strictObject({ kind: z.literal("iid") }),
]);

/** The sorts of data that a suite can use. */
export const DATA_KINDS = ["tasks", "speakers", "intents", "commonsense", "gsm8k"] as const;

const suite = z.strictObject({
  name,
  title: z.string().min(1).max(120),
  data: z.enum(DATA_KINDS),
  /** embedded; tinystories-656k among the assets; or named: the directory that the caller names. */
  base: z.enum(["embedded", "tinystories-656k", "named"]),
  /** Examples per peer and set. */
  sizes: z.strictObject({ train: count(100_000), validation: count(10_000), test: count(10_000) }),
  splits: z.array(split).min(1).max(16),
  peers: z.array(count(256)).min(1).max(8),
  seeds: z.array(z.number().int().min(0).max(1_000_000)).min(1).max(32),
  methods: z.array(name).min(1).max(64).refine(distinct, "must not name a method twice"),
  /** Some of the peers lie in these ways, each a column; none when absent. */
  attacks: z
    .array(z.enum(["none", ...ATTACKS]))
    .min(1)
    .optional(),
  /** How many of them lie, each a column; one when absent. */
  liars: z.array(count(128)).min(1).max(8).optional(),
  /** Who meets whom; everybody when absent. Not where peers lie. */
  meetings: z.enum(MEETINGS).optional(),
  /** The folder of its cells; the suite's name when absent. Suites that name the same one share cells. */
  cells: name.optional(),
  /** Whether peers are scored on each other's data too; true when absent. */
  scoresOthers: z.boolean().optional(),
  rounds: count(10_000),
  localSteps: count(10_000),
  /** Rounds between two looks at the curves. */
  lookEvery: count(10_000),
  training: manifestPart,
  /** By method: tried in place of the method's own grid. */
  learningRates: z.record(name, learningRates).optional(),
  /**
   * Where learning rates are chosen, with a seed that is in none of the results: on each division by itself, or on one for
   * all. Absent: the first rate of each grid is taken.
   */
  tuning: z
    .strictObject({ seed: z.number().int().min(0), peers: count(256), split: z.union([z.literal("each"), split]) })
    .optional(),
});

const table = z
  .strictObject({
    schema: z.literal("weft-evaluation/1"),
    methods: z.array(method).min(1).max(128),
    suites: z.array(suite).min(1).max(32),
    /** For claims that do not hold: the likeliest reason, by the claim's name. */
    reasons: z.record(z.string(), z.string()).optional(),
  })
  .superRefine(({ methods, suites }, context) => {
    const known = new Set(methods.map((one) => one.name));
    const issue = (path: (string | number)[], message: string): void =>
      void context.addIssue({ code: "custom", path, message });
    if (known.size < methods.length) issue(["methods"], "must not have two methods of one name");
    if (!distinct(suites.map((one) => one.name))) issue(["suites"], "must not have two suites of one name");
    for (const [i, { rateOf, withoutReference }] of methods.entries()) {
      const tuned = methods.find((one) => one.name === rateOf);
      if (rateOf !== undefined && !tuned?.learningRates) {
        issue(["methods", i, "rateOf"], `names "${rateOf}", which is no method with learningRates`);
      }
      if (withoutReference !== undefined && !known.has(withoutReference)) {
        issue(["methods", i, "withoutReference"], `names "${withoutReference}", which is no method`);
      }
    }
    for (const [i, one] of suites.entries()) {
      const missing = one.methods.find((each) => !known.has(each));
      if (missing !== undefined) issue(["suites", i, "methods"], `names "${missing}", which is no method`);
      const untuned = Object.keys(one.learningRates ?? {}).find(
        (each) => !methods.find((method) => method.name === each)?.learningRates,
      );
      if (untuned !== undefined)
        issue(["suites", i, "learningRates"], `names "${untuned}", which is no method with learningRates`);
      const most = Math.max(...(one.liars ?? [1]));
      if (one.attacks && one.peers.some((peers) => most >= peers))
        issue(["suites", i, "liars"], "must leave an honest peer");
      const why = one.meetings && notMeeting(one.meetings, one);
      if (why) issue(["suites", i, "meetings"], why);
      if (one.tuning && one.seeds.includes(one.tuning.seed))
        issue(["suites", i, "tuning", "seed"], "must not be one of the seeds");
    }
  });

/** Why peers cannot meet in such a way; undefined where they can. */
function notMeeting(
  kind: MeetingKind,
  { peers, attacks }: { readonly peers: readonly number[]; readonly attacks?: readonly string[] | undefined },
): string | undefined {
  if (attacks !== undefined) return "must not be given where peers lie";
  const least = MEETING_PEERS_MIN[kind];
  if (peers.some((count) => count < least)) return `must have at least ${least} peers`;
  if (kind === "regular-3" && peers.some((count) => count % 2 === 1)) return "must have an even number of peers";
  return undefined;
}

/** A method as the table lists it, with a title for people. */
export interface DeclaredMethod extends Method {
  readonly title: string;
  /** Filled in by `withShipped` before cells are run. */
  readonly shipped?: true;
  readonly learningRates?: readonly number[];
  readonly rateOf?: string;
  readonly withoutReference?: string;
}

/** Methods compared on one sort of data and one base model. */
export type Suite = z.infer<typeof suite>;

/** The table after it was checked. */
export interface Table {
  readonly methods: readonly DeclaredMethod[];
  readonly suites: readonly Suite[];
  readonly reasons: Readonly<Record<string, string>>;
}

/**
 * A table from the text of a file. Where its methods are the name of another file, `read` gives that file's text.
 * Throws: NodeError CONFIG_INVALID, one line naming the file and the field.
 */
export function parseTable(text: string, file: string, read: (name: string) => string): Table {
  const declared = jsonOf(text, file);
  const elsewhere = (declared as { readonly methods?: unknown } | null)?.methods;
  const methodsFile = typeof elsewhere === "string" ? elsewhere : undefined;
  const whole =
    methodsFile === undefined ? declared : { ...(declared as object), methods: jsonOf(read(methodsFile), methodsFile) };
  const result = table.safeParse(whole);
  if (!result.success) {
    const [first] = result.error.issues;
    const path = first!.path.join(".") || "the table";
    throw new NodeError("CONFIG_INVALID", `${file}: ${path} ${lowerFirst(first!.message)}`, { file, field: path });
  }
  const { methods, suites, reasons } = result.data;
  // Fields that a manifest defines are held to its schema when a cell's manifest is made.
  return {
    methods: methods as unknown as DeclaredMethod[],
    suites: suites as unknown as Suite[],
    reasons: reasons ?? {},
  };
}

/** Methods that stand in a file of their own are looked for beside the table.  Throws: NodeError CONFIG_INVALID. */
export function readTable(file: string): Table {
  return parseTable(readText(file), file, (name) => readText(join(dirname(file), name)));
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const text = `cannot read the table ${file}; name another one`;
    throw new NodeError("CONFIG_INVALID", text, { file }, { cause });
  }
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NodeError("CONFIG_INVALID", `${file}: not JSON: ${(cause as Error).message}`, { file }, { cause });
  }
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
