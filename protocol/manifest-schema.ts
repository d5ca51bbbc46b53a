/** The allowed values of each field of a network manifest, and the line that explains a wrong one. */
import { z } from "zod";
import type { AdapterSettings } from "./adapter-spec.ts";
import { closestName } from "./closest-name.ts";
import type { UpdateEncoding } from "./encoding/update-encoding.ts";
import { payloadBytesMax } from "./encoding/update-payload.ts";
import { LIMITS } from "./limits.ts";
import { ROLES } from "./membership/roles.ts";
import { parsePeerId } from "./peer-id.ts";
import { LOW_RANK_ADAPTERS, REFT_ADAPTERS } from "./settings/adapter-kinds.ts";
import { AGGREGATION, AGGREGATION_FIELDS, type AggregationSettings } from "./settings/aggregation-rules.ts";
import { BASE_FORMS, NARROW_FORMS } from "./settings/base-forms.ts";
import { ENCODING, TOP_K } from "./settings/encoding.ts";
import {
  choice,
  distinct,
  fieldSchema,
  integer,
  list,
  object,
  oneOf,
  recordSchema,
  recordShape,
  text,
} from "./settings/field-schema.ts";
import { LAMBDA_RULES } from "./settings/lambda-rules.ts";
import { NEIGHBOUR_WEIGHTS } from "./settings/neighbour-weights.ts";
import { REFERENCES } from "./settings/reference-kinds.ts";
import {
  DEADLINE,
  OPTIMIZERS,
  ROUNDS,
  type RoundSchedule,
  SCHEDULES,
  TRAINING,
  type TrainingSpec,
} from "./settings/training.ts";
import { kindsOf } from "./settings/variant.ts";
import { fieldsOfKinds, oneOfObjects, variantObjects, variantSchema } from "./settings/variant-schema.ts";

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

/** The settings of an adapter, in a manifest as in a file of its own. */
export const adapterFields = { seed: integer(0, Number.MAX_SAFE_INTEGER), model: modelOf, adapter: adapterSchema };

/** The numbers of all rules first, then the fields that any rule may have. */
const rules = Object.entries(fieldsOfKinds(AGGREGATION));
const isOfAll = (of: readonly string[]): boolean => of.length === kindsOf(AGGREGATION).length;
const ruleFields = recordShape(
  Object.fromEntries(
    [...rules.filter(([, { of }]) => !isOfAll(of)), ...rules.filter(([, { of }]) => isOfAll(of))].map(
      ([name, { field }]) => [name, { ...field, optional: true }],
    ),
  ),
);
const { sample, momentum: aggregateMomentum, ...shared } = recordShape(AGGREGATION_FIELDS);
const { scope, ...ages } = shared;

const aggregation = object({
  rule: choice(...kindsOf(AGGREGATION)),
  scope: scope!,
  lambda: variantSchema(LAMBDA_RULES),
  ...ages,
  ...ruleFields,
  weights: variantSchema(NEIGHBOUR_WEIGHTS).exactOptional(),
  sample: sample!,
  momentum: aggregateMomentum!,
}).superRefine((settings, context) => {
  if (settings.momentum !== undefined && Object.hasOwn(settings, "factors")) {
    const message = "is not for factors: they are written anew in each round, and do not move";
    context.addIssue({ code: "custom", path: ["momentum"], message });
  }
  for (const [field, { of, isOptional }] of rules) {
    const isThere = Object.hasOwn(settings, field);
    if (isThere && !of.includes(settings.rule)) {
      context.addIssue({ code: "custom", path: [field], message: `is of ${of.join(" and ")} only` });
    }
    if (!isThere && !isOptional && of.includes(settings.rule)) {
      context.addIssue({ code: "custom", path: [field], message: `is needed by ${settings.rule}` });
    }
  }
}) as z.ZodType as z.ZodType<AggregationSettings>;

const { accumulate, proximal, logitAdjustment, headLearningRate, ...trainingNumbers } = recordShape(TRAINING);
/** How a network trains; also how a training on one machine was done, where it is kept. */
export const training = object({
  optimizer: choice(...kindsOf(OPTIMIZERS)),
  ...trainingNumbers,
  momentum: fieldSchema(OPTIMIZERS.kinds.sgd.fields.momentum).exactOptional(),
  schedule: recordSchema({
    kind: { type: "choice", values: kindsOf(SCHEDULES), text: SCHEDULES.what, source: "settings/training.ts" },
    ...SCHEDULES.kinds.constant.fields,
  }).exactOptional(),
  accumulate: accumulate!,
  proximal: proximal!,
  logitAdjustment: logitAdjustment!,
  headLearningRate: headLearningRate!,
}).refine(({ optimizer, momentum }) => momentum === undefined || optimizer === "sgd", {
  path: ["momentum"],
  error: "is of sgd only: adamw has means of its own",
}) as z.ZodType as z.ZodType<TrainingSpec>;

const encoding = object({
  ...recordShape(ENCODING),
  topK: recordSchema(TOP_K).exactOptional(),
}) as z.ZodType as z.ZodType<UpdateEncoding>;
const peer = z.string("must be a peer id").refine(isPeerId, "must be a peer id, such as 12D3KooW…");

function isPeerId(text: string): boolean {
  try {
    parsePeerId(text);
    return true;
  } catch {
    // The refinement says what is wrong with it.
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

const frame = z.discriminatedUnion(
  "kind",
  [object({ kind: z.literal("template"), digest }), object({ kind: z.literal("turns") })],
  oneOf(["template", "turns"]),
);

const base = z.discriminatedUnion(
  "form",
  [object({ form: z.literal("f32") }), object({ form: choice(...NARROW_FORMS), digest })],
  oneOf(BASE_FORMS),
);

/** Every field of a manifest with its bounds; rules between fields are checked behind it. */
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
  base: base.exactOptional(),
  adapter: adapterSchema,
  head: choice("shared", "frozen").exactOptional(),
  frame: frame.exactOptional(),
  tensors,
  training,
  rounds: object({
    ...recordShape(ROUNDS),
    deadlineMs: recordSchema(DEADLINE).refine(({ min, max }) => min <= max, "must have a min of at most its max"),
  }) as z.ZodType as z.ZodType<RoundSchedule>,
  aggregation,
  reference: variantSchema(REFERENCES),
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

/** The part of an adapter, its tensors and its rule that does not go with `aggregation.factors`. */
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
  if (lowRank.bias === "trained") return '"product" is of lora without biases only';
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

/** The fault inside an object, where a word or an object is allowed; rather than that the object is no word. */
function tellingIssues(issue: z.core.$ZodIssue, value: unknown): readonly z.core.$ZodIssue[] {
  const inside = issue.code === "invalid_union" ? issue.errors.at(-1) : undefined;
  const found = valueAt(value, issue.path);
  if (inside === undefined || typeof found !== "object" || found === null || Array.isArray(found)) return [issue];
  return inside.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value);

/** `training.batchSize`, `tensors[3].name`; anything but printable ASCII in a key becomes `?`. */
export function fieldPath(path: readonly PropertyKey[]): string {
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
