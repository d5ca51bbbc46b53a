/** What each field of a network manifest may be, and how to say in one line what is wrong with one that is not. */
import { z } from "zod";
import type { AdapterSettings } from "./adapter-spec.ts";
import { closestName } from "./closest-name.ts";
import { payloadBytesMax } from "./encoding/update-payload.ts";
import { LIMITS } from "./limits.ts";
import { ROLES } from "./membership/roles.ts";
import { parsePeerId } from "./peer-id.ts";
import { LOW_RANK_ADAPTERS, REFT_ADAPTERS } from "./settings/adapter-kinds.ts";
import { choice, distinct, fieldSchema, integer, list, object, oneOf, text } from "./settings/field-schema.ts";
import { kindsOf } from "./settings/variant.ts";
import { oneOfObjects, variantObjects, variantSchema } from "./settings/variant-schema.ts";

const number = (min: number, max: number) => fieldSchema({ type: "number", min, max });
const positive = (max: number) => fieldSchema({ type: "number", min: 0, without: "min", max });

const name = text(new RegExp(`^[!-~]{1,${LIMITS.nameLengthMax}}$`), "a name of printable ASCII without spaces");
const digest = text(/^[0-9a-f]{64}$/, "a SHA-256 digest of 64 lower-case hexadecimal digits");

const lowRankSchema = variantSchema(LOW_RANK_ADAPTERS);
const reftSchema = variantSchema(REFT_ADAPTERS);
const adapterSchema = oneOfObjects<AdapterSettings>(
  "kind",
  [...kindsOf(LOW_RANK_ADAPTERS), ...kindsOf(REFT_ADAPTERS), "combination"],
  [
    ...variantObjects(LOW_RANK_ADAPTERS),
    ...variantObjects(REFT_ADAPTERS),
    object({ kind: z.literal("combination"), lora: lowRankSchema, reft: reftSchema }),
  ],
);

const tensors = list(
  object({
    name,
    shape: list(integer(1, LIMITS.parameterCountMax), { min: 1, max: LIMITS.tensorRankMax, what: "dimensions" }),
  }),
  { min: 1, max: LIMITS.tensorCountMax, what: "tensors" },
)
  .refine((all) => distinct(all.map((tensor) => tensor.name)), "must not name a tensor twice")
  .refine(
    (all) => all.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0) <= LIMITS.parameterCountMax,
    `must have at most ${LIMITS.parameterCountMax} values in all`,
  );

const modelOf = object({
  family: text(/^[a-z0-9][a-z0-9._-]{0,31}$/, "the lower-case name of a model family, such as llama"),
  digest: object({ weights: digest, config: digest, tokenizer: digest }),
});

/** What an adapter says of itself, in a manifest as in a file of its own. */
export const adapterFields = { seed: integer(0, Number.MAX_SAFE_INTEGER), model: modelOf, adapter: adapterSchema };

const lambda = z.discriminatedUnion(
  "mode",
  [
    object({ mode: z.literal("fixed"), value: number(0, 1) }),
    object({ mode: z.literal("search") }),
    object({ mode: z.literal("adaptive") }),
    object({ mode: z.literal("tanh"), max: number(0, 1), kappa: positive(1000) }),
  ],
  oneOf(["fixed", "search", "adaptive", "tanh"]),
);

const proximal = {
  l1: number(0, 1_000_000),
  l2: number(0, 1_000_000),
  fisherDecay: number(0, 0.999999).exactOptional(),
};
const reference = z.discriminatedUnion(
  "kind",
  [
    object({ kind: z.literal("none") }),
    object({ kind: z.literal("window"), size: integer(1, 64), weights: choice("uniform", "linear"), ...proximal }),
    object({ kind: z.literal("ema"), decay: number(0, 0.999999), ...proximal }),
  ],
  oneOf(["none", "window", "ema"]),
);

/** The numbers of the aggregation rules: which rules have one, and which of these can do without. */
const RULE_FIELDS: Readonly<Record<string, { readonly of: readonly string[]; readonly absent: boolean }>> = {
  trim: { of: ["trimmed-mean"], absent: false },
  faulty: { of: ["krum", "multi-krum"], absent: false },
  keep: { of: ["multi-krum"], absent: true },
  radius: { of: ["centred-clipping", "clipped-gossip"], absent: false },
};

const weights = z.discriminatedUnion(
  "kind",
  [
    object({ kind: z.literal("samples") }),
    object({ kind: z.literal("metropolis") }),
    object({
      kind: z.literal("similarity"),
      temperature: positive(1000),
      data: object({ share: positive(1), temperature: positive(1000) }).exactOptional(),
    }),
  ],
  oneOf(["samples", "metropolis", "similarity"]),
);

const aggregation = object({
  rule: choice(
    "mean",
    "geometric-median",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "centred-clipping",
    "clipped-gossip",
  ),
  scope: choice("tensor", "global"),
  lambda,
  stalenessExponent: number(0, 10),
  ageMax: integer(0, LIMITS.roundCountMax),
  trim: number(0.001, 0.499).exactOptional(),
  faulty: integer(1, LIMITS.headsCountMax).exactOptional(),
  keep: integer(1, LIMITS.headsCountMax).exactOptional(),
  radius: positive(1_000_000).exactOptional(),
  normClip: z.literal(true, "must be true, or left out").exactOptional(),
  factors: choice("product", "aligned").exactOptional(),
  weights: weights.exactOptional(),
  sample: integer(1, LIMITS.headsCountMax).exactOptional(),
}).superRefine((settings, context) => {
  for (const [field, { of, absent }] of Object.entries(RULE_FIELDS)) {
    const isThere = Object.hasOwn(settings, field);
    if (isThere && !of.includes(settings.rule)) {
      context.addIssue({ code: "custom", path: [field], message: `is of ${of.join(" and ")} only` });
    }
    if (!isThere && !absent && of.includes(settings.rule)) {
      context.addIssue({ code: "custom", path: [field], message: `is needed by ${settings.rule}` });
    }
  }
});

const training = object({
  optimizer: choice("adamw", "sgd"),
  learningRate: positive(10),
  weightDecay: number(0, 1),
  gradientClip: positive(1_000_000),
  batchSize: integer(1, 4096),
  maxTokens: integer(2, 131_072),
  momentum: number(0, 0.9999).exactOptional(),
  schedule: object({
    kind: choice("constant", "linear", "cosine"),
    warmupSteps: integer(0, LIMITS.localStepsMax),
  }).exactOptional(),
  accumulate: integer(1, 4096).exactOptional(),
  proximal: number(0, 1_000_000).exactOptional(),
}).refine(({ optimizer, momentum }) => momentum === undefined || optimizer === "sgd", {
  path: ["momentum"],
  error: "is of sgd only: adamw has means of its own",
});

const encoding = object({
  values: choice("float32", "float16", "int8"),
  topK: object({ share: number(0.0001, 0.5), keyframeEvery: integer(2, LIMITS.keyframeEveryMax) }).exactOptional(),
});
const peer = z.string("must be a peer id").refine(isPeerId, "must be a peer id, such as 12D3KooW…");

function isPeerId(text: string): boolean {
  try {
    parsePeerId(text);
    return true;
  } catch {
    // What is wrong with it is what the refinement says.
    return false;
  }
}

const membership = z.discriminatedUnion(
  "kind",
  [
    object({ kind: z.literal("open") }),
    object({
      kind: z.literal("roster"),
      founders: list(object({ peer, role: choice(...ROLES) }), {
        min: 1,
        max: LIMITS.founderCountMax,
        what: "founders",
      }).refine((all) => distinct(all.map((founder) => founder.peer)), "must not name a peer twice"),
      threshold: integer(1, LIMITS.signatureCountMax),
      policy: object({
        approval: choice("person", "invite"),
        earlierUpdates: choice("keep", "drop"),
        equivocation: choice("bar", "report"),
        certificateSeconds: integer(60, LIMITS.certificateSecondsMax),
      }),
    }).refine(({ founders, threshold }) => founders.filter(({ role }) => role === "admin").length >= threshold, {
      path: ["threshold"],
      error: "must be at most the number of founders with the role admin",
    }),
  ],
  oneOf(["open", "roster"]),
);

const succeeds = object({ network: digest, first: digest, round: integer(1, LIMITS.roundCountMax) });

const DAY_MS = 86_400_000;

export const manifestSchema = object({
  schema: choice("weft-network/1"),
  name: text(
    new RegExp(`^[ -~]{1,${LIMITS.networkNameLengthMax}}$`),
    `1 to ${LIMITS.networkNameLengthMax} characters of printable ASCII`,
  ),
  seed: integer(0, Number.MAX_SAFE_INTEGER),
  model: object({
    family: text(/^[a-z0-9][a-z0-9._-]{0,31}$/, "the lower-case name of a model family, such as llama"),
    digest: object({ weights: digest, config: digest, tokenizer: digest }),
  }),
  adapter: adapterSchema,
  head: choice("shared", "frozen").exactOptional(),
  tensors,
  training,
  rounds: object({
    count: integer(1, LIMITS.roundCountMax),
    localSteps: integer(1, LIMITS.localStepsMax),
    deadlineMs: object({ min: integer(0, DAY_MS), max: integer(1, DAY_MS) }).refine(
      ({ min, max }) => min <= max,
      "must have a min of at most its max",
    ),
  }),
  aggregation,
  reference,
  encoding: encoding.exactOptional(),
  bootstrap: list(
    text(new RegExp(`^/[!-~]{1,${LIMITS.nameLengthMax - 1}}$`), "a multiaddr, such as /ip4/127.0.0.1/tcp/4001"),
    {
      min: 0,
      max: LIMITS.bootstrapCountMax,
      what: "multiaddrs",
    },
  ),
  membership: membership.exactOptional(),
  succeeds: succeeds.exactOptional(),
}).superRefine((manifest, context) => {
  const { training, reference } = manifest;
  const refuse = (path: readonly string[], message: string): void =>
    context.addIssue({ code: "custom", path: [...path], message });
  if (training.proximal !== undefined && reference.kind === "none") {
    refuse(["training", "proximal"], 'needs a reference model, and reference.kind is "none"');
  }
  const lowRank = manifest.adapter.kind === "combination" ? manifest.adapter.lora : manifest.adapter;
  if (manifest.aggregation.weights?.kind === "similarity" && lowRank.kind !== "tri-lora") {
    refuse(["aggregation", "weights"], '"similarity" compares the C of tri-lora, which other kinds do not have');
  }
  const bytes = payloadBytesMax(manifest);
  if (bytes > LIMITS.updatePayloadBytesMax) {
    const most = `at most ${LIMITS.updatePayloadBytesMax} are allowed`;
    refuse(
      ["tensors"],
      `must fit into an update: they may take ${bytes} bytes as ${manifest.encoding?.values ?? "float32"}, ${most}`,
    );
  }
  const problem = factorsProblem(manifest);
  if (problem !== undefined) refuse(["aggregation", "factors"], problem);
});

/** What of an adapter, its tensors and its rule does not go with `aggregation.factors`. */
function factorsProblem({
  adapter,
  tensors,
  aggregation: { factors, rule, normClip },
}: {
  readonly adapter: AdapterSettings;
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly aggregation: { readonly factors?: string; readonly rule: string; readonly normClip?: true };
}): string | undefined {
  if (factors === undefined) return undefined;
  const lowRank = adapter.kind === "combination" ? adapter.lora : adapter;
  if (factors === "aligned") {
    const isPersonal = lowRank.kind === "tri-lora" && lowRank.basis === "personal";
    return isPersonal ? undefined : '"aligned" is of tri-lora on a personal basis only';
  }
  if (lowRank.kind !== "lora") return '"product" is of lora only: other kinds do not send both factors';
  if (rule !== "mean" || normClip) return '"product" is of the rule mean without normClip only';
  const narrow = tensors.find(({ name, shape }) => /\.[AB]$/.test(name) && Math.min(...shape) < lowRank.rank);
  return narrow && `"product" needs layers as wide as the rank, and ${narrow.name} is narrower`;
}

/** The most telling issue of a refused manifest: an unknown field before all others, because it explains a missing one. */
export function describeManifestIssue(error: z.ZodError, value: unknown): { field: string; text: string } {
  const issues = error.issues.flatMap((issue) => tellingIssues(issue, value));
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys");
  if (unknown !== undefined) {
    const key = unknown.keys[0]!;
    const suggestion = closestName(
      key,
      fieldsOf(schemaAt(manifestSchema, unknown.path)).filter((known) => known !== key),
    );
    const field = fieldPath([...unknown.path, key]);
    const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    return { field, text: `${field} is not a field of a manifest${hint}` };
  }
  const issue = issues[0]!;
  const field = fieldPath(issue.path);
  const found = valueAt(value, issue.path);
  if (found === undefined) return { field, text: `${field} is missing`.trimStart() };
  const detail = issue.code === "custom" ? "" : `, found ${shown(found)}`;
  return { field, text: `${field} ${issue.message}${detail}`.trimStart() };
}

/** Of a word or an object that turned out an object: what is wrong inside of it, rather than that it is no word. */
function tellingIssues(issue: z.core.$ZodIssue, value: unknown): readonly z.core.$ZodIssue[] {
  const inside = issue.code === "invalid_union" ? issue.errors.at(-1) : undefined;
  const found = valueAt(value, issue.path);
  if (inside === undefined || typeof found !== "object" || found === null || Array.isArray(found)) return [issue];
  return inside.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value);

/** `training.batchSize`, `tensors[3].name`; anything but printable ASCII in a key becomes `?`. */
function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i === 0 ? "" : "."}${printable(String(key))}`))
    .join("");
}

const printable = (text: string): string => text.slice(0, SHOWN_MAX).replace(/[^ -~]/g, "?");
/** Characters of a refused value that are worth showing in one line. */
const SHOWN_MAX = 40;

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return printable(typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_MAX)) : String(value));
}

function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly z.core.$ZodType[] {
  let at = alternatives(schema);
  for (const key of path) {
    at = at.flatMap((one) => {
      if (one instanceof z.ZodArray) return alternatives(one.element);
      const field = one instanceof z.ZodObject ? (one.shape as z.ZodRawShape)[String(key)] : undefined;
      return field === undefined ? [] : alternatives(field);
    });
  }
  return at;
}

const alternatives = (schema: z.core.$ZodType): readonly z.core.$ZodType[] =>
  schema instanceof z.ZodUnion ? schema.options : [schema];

const fieldsOf = (schemas: readonly z.core.$ZodType[]): readonly string[] =>
  schemas.flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []));
