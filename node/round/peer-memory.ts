/** Everything that a peer must remember to go on after a kill with the same bits, and its form in a checkpoint. */
import { z } from "zod";
import { LIMITS } from "../../protocol/limits.ts";
import type { NetworkManifest, ReferenceSettings } from "../../protocol/network-manifest.ts";
import {
  decodeReference,
  emptyReference,
  encodeReference,
  isFinitePoint,
  type ReferenceState,
  type RememberedAggregate,
} from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import {
  ALONE_FIGURES_MAX,
  type AloneFigure,
  type ForgettingReport,
  type LossFigure,
  type PhaseSeconds,
  type RoundSummary,
  type Score,
  SUMMARIES_MAX,
  type UpdateCounts,
} from "../interface/peer-event.ts";
import { TASKS_MAX, type TrainerState } from "../interface/trainer.ts";
import { LAMBDA_EXAMPLES_MAX } from "../lambda/decide-lambda.ts";
import { NO_TRIAL, type TrialMemory } from "../lambda/trial.ts";
import { checkSameExamples, type ExampleDigests } from "./example-digests.ts";
import { type BestScores, NO_FORGETTING, NO_SCORES } from "./forgetting.ts";
import type { RoundPosition } from "./machine.ts";
import { GAINS_MAX, type NeighbourScore } from "./neighbour-scores.ts";
import { PACE_LAGS_MAX, type Pace } from "./pace.ts";

/** The progress of the round that is being worked on. */
export interface RoundProgress {
  readonly stepsDone: number;
  readonly stepsSkipped: number;
  /** Sum and number of the losses that were finite. */
  readonly lossSum: number;
  readonly lossCount: number;
  readonly seconds: PhaseSeconds;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Bytes of this peer's own update; 0 before it is published. */
  readonly updateBytes: number;
  readonly updates: UpdateCounts;
}

/** How far the closing evaluation is. */
export type EvaluationProgress =
  | { readonly stage: "none" }
  /** Base and swarm are known; the trainer is on its run alone, and `swarm` is the trainer's state to come back to. */
  | {
      readonly stage: "alone";
      readonly base: Score;
      readonly swarmScore: Score;
      readonly swarm: TrainerState;
      readonly stepsDone: number;
      /** On the validation set, so far; absent in what an older version has begun. */
      readonly aloneRounds?: readonly AloneFigure[] | undefined;
    }
  | {
      readonly stage: "done";
      readonly base: Score;
      readonly swarmScore: Score;
      readonly alone?: Score;
      readonly aloneRounds?: readonly AloneFigure[];
    };

/** All of a peer's memory between two steps of its rounds. */
export interface PeerMemory {
  readonly trainer: TrainerState;
  readonly reference: ReferenceState;
  /** The aggregate that was last taken up, where the network has momentum. */
  readonly aggregate?: RememberedAggregate | undefined;
  readonly position: RoundPosition;
  readonly pace: Pace;
  readonly progress: RoundProgress;
  /** Local steps of all rounds together, the length of the run alone. */
  readonly stepsTaken: number;
  /** One for each round that this peer did, oldest first; at most SUMMARIES_MAX. */
  readonly summaries: readonly RoundSummary[];
  /** Of the base model, on the validation set; absent before the first round is done. */
  readonly base?: LossFigure | undefined;
  /** Best scores after any round so far. */
  readonly best: BestScores;
  /** The memory of the adaptive lambda. */
  readonly trial: TrialMemory;
  /** The scores of neighbours; absent before the first look. */
  readonly scores?: readonly NeighbourScore[] | undefined;
  /** How far the scores have fallen behind the best ones. */
  readonly forgetting: ForgettingReport;
  readonly evaluation: EvaluationProgress;
}

/** The memory without the trainer's state, which the trainer itself keeps. */
export type RoundMemory = Omit<PeerMemory, "trainer">;

/** The memory of a peer that begins: at the first round, or at the one where its network took over from another. */
export function firstMemory(manifest: Pick<NetworkManifest, "reference" | "succeeds">): RoundMemory {
  return {
    reference: emptyReference(manifest.reference),
    position: { round: manifest.succeeds?.round ?? 0, phase: "training" },
    pace: [],
    progress: NO_PROGRESS,
    stepsTaken: 0,
    summaries: [],
    trial: NO_TRIAL,
    best: NO_SCORES,
    forgetting: NO_FORGETTING,
    evaluation: { stage: "none" },
  };
}

/** The progress of a round that begins. */
export const NO_PROGRESS: RoundProgress = {
  stepsDone: 0,
  stepsSkipped: 0,
  lossSum: 0,
  lossCount: 0,
  seconds: { train: 0, network: 0, aggregate: 0, total: 0 },
  bytes: { sent: 0, received: 0 },
  updateBytes: 0,
  updates: { accepted: 0, ignored: 0, rejected: 0 },
};

/** The network and the data that a memory belongs to. With any other it is refused. */
export interface MemoryOwner {
  /** The id of the network. */
  readonly network: string;
  readonly examples: ExampleDigests;
}

/** A memory as a checkpoint: vectors as tensors, the rest as JSON. */
export function encodeMemory(memory: PeerMemory, { network, examples }: MemoryOwner): Checkpoint {
  const { trainer, reference, aggregate, evaluation, trial, ...rest } = memory;
  const vectors = new Map<string, Float32Array>();
  putTrainer(vectors, "", trainer);
  if (trial.rival) putTrainer(vectors, "rival.", trial.rival);
  if (aggregate) vectors.set("aggregate", aggregate.z);
  if (trial.rivalPast) {
    for (const [i, snapshot] of encodeReference(trial.rivalPast.reference).entries()) {
      vectors.set(`rival.reference.${i}`, snapshot);
    }
  }
  for (const [i, snapshot] of encodeReference(reference).entries()) vectors.set(`reference.${i}`, snapshot);
  if (evaluation.stage === "alone") putTrainer(vectors, "swarm.", evaluation.swarm);
  const steps = {
    step: trainer.step,
    rivalStep: trial.rival?.step,
    aggregateRound: aggregate?.round,
    swarmStep: evaluation.stage === "alone" ? evaluation.swarm.step : 0,
  };
  const stage = evaluation.stage === "alone" ? withoutSwarm(evaluation) : evaluation;
  return {
    vectors,
    state: { schema: SCHEMA, network, examples, ...rest, ...steps, trial: trial.state, evaluation: stage },
  };
}

/**
 * The opposite of `encodeMemory`.
 * Throws: MANIFEST_MISMATCH when it belongs to another network; DATA_MISMATCH when it was trained with other examples;
 * CHECKPOINT_CORRUPT when it is not such a memory.
 */
export function decodeMemory(
  { vectors, state }: Checkpoint,
  options: MemoryOwner & {
    readonly reference: ReferenceSettings;
    /** Number of values that travel. */
    readonly parameterCount: number;
    /** Number of values that are trained: those that travel, and those that the peer keeps. */
    readonly trainedCount: number;
  },
): PeerMemory {
  const { network, parameterCount, trainedCount } = options;
  const parsed = stateSchema.safeParse(state);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join(".") ?? "";
    throw corrupt(`the field ${where} cannot be read; it was written by another version or is damaged`);
  }
  const {
    schema: _schema,
    network: found,
    examples,
    step,
    swarmStep,
    rivalStep,
    aggregateRound,
    rivalAggregateRound: _rivalAggregate,
    trial,
    evaluation,
    ...rest
  } = parsed.data;
  if (found !== network) {
    const text = `the checkpoint belongs to network ${found}, not to ${network}`;
    throw new NodeError("MANIFEST_MISMATCH", text, { found, network, problem: "another-network" });
  }
  checkSameExamples(examples, options.examples);
  const referenceOf = (prefix: string): ReferenceState => {
    const { length } = [...vectors].filter(([name]) => name.startsWith(prefix));
    const ordered = Array.from({ length }, (_, i) => vectorOf(vectors, `${prefix}${i}`, parameterCount));
    return decodeReference(wholePast(ordered, options.reference), { settings: options.reference, parameterCount });
  };
  const aggregateOf = (name: string, round: number | undefined): { readonly aggregate?: RememberedAggregate } => {
    if (round === undefined) return {};
    const z = vectorOf(vectors, name, parameterCount);
    return isFinitePoint(z) ? { aggregate: { round, z } } : {};
  };
  return {
    ...rest,
    trainer: takeTrainer(vectors, "", { step, trainedCount }),
    reference: referenceOf("reference."),
    ...aggregateOf("aggregate", aggregateRound),
    trial: {
      state: trial,
      ...(rivalStep !== undefined && {
        rival: takeTrainer(vectors, "rival.", { step: rivalStep, trainedCount }),
        rivalPast: { reference: referenceOf("rival.reference.") },
      }),
    },
    evaluation:
      evaluation.stage === "alone"
        ? { ...evaluation, swarm: takeTrainer(vectors, "swarm.", { step: swarmStep, trainedCount }) }
        : evaluation,
  };
}

/**
 * A memory carried over to the manifest under which the network goes on, with the same adapter. What was trained stays. The
 * past is left out where a changed reference rule could not use it. The round begins anew.
 * Throws: CHECKPOINT_CORRUPT when it is no memory.
 */
export function carryMemory(
  { vectors, state }: Checkpoint,
  {
    network,
    round,
    keepsReference,
    keepsExamples,
  }: {
    readonly network: string;
    readonly round: number;
    readonly keepsReference: boolean;
    /** Whether the same data still give the same examples. */
    readonly keepsExamples: boolean;
  },
): Checkpoint {
  const parsed = stateSchema.safeParse(state);
  if (!parsed.success) throw corrupt("it cannot be read; it was written by another version or is damaged");
  const {
    rivalStep: _rival,
    trial: _trial,
    aggregateRound: _round,
    rivalAggregateRound: _of,
    base: _base,
    examples,
    step,
    swarmStep,
    evaluation,
    ...rest
  } = parsed.data;
  // During the run alone the trainer is on an adapter of its own, and the swarm's waits beside it.
  const from = evaluation.stage === "alone" ? "swarm." : "";
  const trainer = TRAINER_VECTORS.flatMap((name) => {
    const vector = vectors.get(`${from}${name}`);
    return vector === undefined ? [] : [[name, vector] as const];
  });
  const past = [...vectors].filter(([name]) => keepsReference && name.startsWith("reference."));
  return {
    vectors: new Map([...trainer, ...past]),
    state: {
      ...rest,
      step: evaluation.stage === "alone" ? swarmStep : step,
      swarmStep: 0,
      ...(keepsExamples && { examples }),
      network,
      position: { round, phase: "training" },
      progress: NO_PROGRESS,
      evaluation: { stage: "none" },
    },
  };
}

/** What a memory has to show, to whoever looks at it from outside.  Throws: CHECKPOINT_CORRUPT when it is no memory. */
export function shownRecord({ state }: Checkpoint) {
  const { data } = stateSchema.safeParse(state);
  if (data === undefined) throw corrupt("it cannot be read; it was written by another version or is damaged");
  const { network, summaries: rounds, base, forgetting, evaluation } = data;
  if (evaluation.stage === "none") return { network, rounds, base, forgetting };
  const { base: before, swarmScore: swarm, aloneRounds } = evaluation;
  const alone = evaluation.stage === "done" ? evaluation.alone : undefined;
  return { network, rounds, base, forgetting, aloneRounds, scores: { base: before, alone, swarm } };
}

/** The snapshots without what an older version remembered of a ruined round; none where an average is ruined. */
function wholePast(snapshots: readonly Float32Array[], settings: ReferenceSettings): readonly Float32Array[] {
  const whole = snapshots.filter(isFinitePoint);
  return settings.kind === "ema" && whole.length < snapshots.length ? [] : whole;
}

const SCHEMA = "weft-peer-memory/1";
/** Names of the vectors of a trainer's state; another trainer's than the peer's own stand behind a prefix. */
const TRAINER_VECTORS = ["adapter", "first_moment", "second_moment", "fisher"];

function withoutSwarm({ swarm: _, ...rest }: Extract<EvaluationProgress, { readonly stage: "alone" }>) {
  return rest;
}

function putTrainer(vectors: Map<string, Float32Array>, prefix: string, state: TrainerState): void {
  vectors.set(`${prefix}adapter`, state.adapter);
  vectors.set(`${prefix}first_moment`, state.firstMoment);
  vectors.set(`${prefix}second_moment`, state.secondMoment);
  if (state.fisher) vectors.set(`${prefix}fisher`, state.fisher);
}

function takeTrainer(
  vectors: ReadonlyMap<string, Float32Array>,
  prefix: string,
  options: { readonly step: number; readonly trainedCount: number },
): TrainerState {
  const { step, trainedCount: length } = options;
  return {
    adapter: vectorOf(vectors, `${prefix}adapter`, length),
    firstMoment: vectorOf(vectors, `${prefix}first_moment`, length),
    secondMoment: vectorOf(vectors, `${prefix}second_moment`, length),
    step,
    ...(vectors.has(`${prefix}fisher`) && { fisher: vectorOf(vectors, `${prefix}fisher`, length) }),
  };
}

function vectorOf(vectors: ReadonlyMap<string, Float32Array>, name: string, parameterCount: number): Float32Array {
  const vector = vectors.get(name);
  if (vector === undefined) throw corrupt(`${name} is missing`);
  if (vector.length !== parameterCount) {
    throw corrupt(`${name} has ${vector.length} values, the network's adapter has ${parameterCount}`);
  }
  return vector;
}

const corrupt = (what: string): NodeError =>
  new NodeError("CHECKPOINT_CORRUPT", `checkpoint: ${what}; move the checkpoints away to start from the first round`);

const count = z.number().int().min(0);
/** JSON writes NaN as null. */
const real = z.union([z.number(), z.nan(), z.null().transform(() => Number.NaN)]);
/** JSON writes an infinite difference as null: of a loss that was no number, which counts as no difference then. */
const difference = z.union([z.number(), z.null().transform(() => 0)]);
const seconds = z.strictObject({ train: real, network: real, aggregate: real, total: real });
const bytes = z.strictObject({ sent: count, received: count });
const updates = z.strictObject({ accepted: count, ignored: count, rejected: count });
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const interval = real.optional();
const figure = z.strictObject({ loss: real, interval });
const score = z.strictObject({ loss: real, accuracy: real, exactMatch: real, interval });
const alone = z.strictObject({ round: count, loss: real, interval });
const aloneRounds = z.array(alone).max(ALONE_FIGURES_MAX).optional();
const pair = { loss: real, accuracy: real };
const tasks = z.array(z.strictObject({ task: z.string(), ...pair })).max(TASKS_MAX);

const stateSchema = z.strictObject({
  schema: z.literal(SCHEMA),
  network: z.string(),
  /** Absent in a memory that was carried over to settings which cut the same data otherwise. */
  examples: z.strictObject({ train: digest, validation: digest, test: digest }).optional(),
  position: z.strictObject({ round: count, phase: z.enum(["training", "trained", "serving"]) }),
  pace: z.array(z.number().min(0)).max(PACE_LAGS_MAX),
  progress: z.strictObject({
    stepsDone: count,
    stepsSkipped: count,
    lossSum: real,
    lossCount: count,
    seconds,
    bytes,
    updateBytes: count,
    updates,
  }),
  stepsTaken: count,
  step: count,
  swarmStep: count,
  rivalStep: count.optional(),
  aggregateRound: count.optional(),
  /** Of an earlier rule, whose rivals mixed. */
  rivalAggregateRound: count.optional(),
  /** Absent in a memory that was carried over: a trial begins anew. */
  trial: z
    .strictObject({
      stage: z.enum(["trial", "swarm", "search"]),
      rounds: count,
      against: count.default(0),
      differences: z.array(difference).max(LAMBDA_EXAMPLES_MAX).optional(),
      // Of an earlier rule, which pooled relative losses.
      ...{
        gain: real.optional(),
        lead: real.optional(),
        wait: count.optional(),
        interval: count.optional(),
        pushed: z.boolean().optional(),
      },
    })
    .transform(({ stage, rounds, against, differences }): TrialMemory["state"] => ({
      ...{ stage, rounds, against },
      ...(differences && { differences }),
    }))
    .default({ ...NO_TRIAL.state }),
  summaries: z
    .array(
      z.strictObject({
        round: count,
        trainLoss: real,
        stepsSkipped: count,
        validationLoss: real,
        validationInterval: interval,
        forgetting: z.strictObject(pair),
        lambda: real,
        lambdaCost: z.strictObject({ evaluations: count, steps: count, seconds: real }),
        neighbours: count,
        stalenessMax: count,
        bytes,
        updateBytes: count,
        seconds,
        updates,
        deadlineMs: real,
      }),
    )
    .max(SUMMARIES_MAX),
  scores: z
    .array(
      z.strictObject({
        peer: z.string().max(LIMITS.nameLengthMax),
        round: count,
        gains: z.array(z.number()).min(1).max(GAINS_MAX),
      }),
    )
    .max(LIMITS.headsCountMax)
    .optional(),
  base: figure.optional(),
  best: z.strictObject({ all: z.strictObject(pair), tasks }),
  forgetting: z.strictObject({ ...pair, tasks }),
  evaluation: z.discriminatedUnion("stage", [
    z.strictObject({ stage: z.literal("none") }),
    z.strictObject({ stage: z.literal("alone"), base: score, swarmScore: score, stepsDone: count, aloneRounds }),
    z
      .strictObject({ stage: z.literal("done"), base: score, swarmScore: score, alone: score.optional(), aloneRounds })
      .transform(({ alone, aloneRounds, ...rest }) => ({
        ...{ ...rest, ...(alone && { alone }), ...(aloneRounds && { aloneRounds }) },
      })),
  ]),
});
