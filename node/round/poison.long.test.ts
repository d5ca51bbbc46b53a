/** No value of a neighbour ends a peer's run, or leaves it worse off than alone. */
import { describe, expect, test } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { AggregationSettings, LambdaRule, NetworkManifest } from "../../protocol/network-manifest.ts";
import { retractRotations, rotationGroups } from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";
import { ofType, type Peer, peer, run, type Setting, world } from "./driver.suite.ts";
import { LOOK_EXAMPLES_MAX } from "./neighbour-scores.ts";
import { createMemoryCheckpoints, testManifest } from "./twins.suite.ts";

const FLOAT16_MAX = 65504;
const FLOAT32_MAX = 3.4028234663852886e38;
const P = 6;
const ROUNDS = 6;

const LOREFT: Partial<NetworkManifest> = {
  adapter: {
    kind: "loreft",
    rank: 1,
    positions: { first: 1, last: 0, tied: true },
    layers: "all",
    rotation: "trained",
  },
  tensors: [
    { name: "x.R", shape: [1, 2] },
    { name: "x.W", shape: [1, 2] },
    { name: "x.b", shape: [1] },
    { name: "head", shape: [1] },
  ],
} as Partial<NetworkManifest>;
const KINDS: Readonly<Record<string, Partial<NetworkManifest>>> = { lora: {}, loreft: LOREFT };

const LAMBDAS: readonly LambdaRule[] = [
  { mode: "fixed", value: 0.5 },
  { mode: "fixed", value: 1 },
  { mode: "search" },
  { mode: "tanh", max: 1, kappa: 4 },
  { mode: "adaptive" },
];

const manifestOf = (kind: string, aggregation: object): NetworkManifest =>
  testManifest(
    { count: ROUNDS, localSteps: 12 },
    { ...KINDS[kind], aggregation: { ...testManifest().aggregation, ...aggregation } as AggregationSettings },
  );

/** A trainer that a model would be: nothing is finite far out, rotations stay rotations, and ten lost steps end the run. */
function asModel(kind: string): (trainer: Trainer) => Trainer {
  const groups = kind === "loreft" ? rotationGroups("loreft", adapterSlots(LOREFT.tensors!)) : [];
  return (trainer) => {
    const isFar = (theta: Float32Array): boolean => !theta.every((x) => Math.abs(x) < 1e4);
    const retracted = (theta: Float32Array): Float32Array => Float32Array.from(retractRotations(theta, groups));
    return {
      ...trainer,
      train: async (options) => {
        if (isFar((await trainer.state()).adapter)) throw new NodeError("TRAINING_DIVERGED", "the loss was not finite");
        const result = await trainer.train(options);
        await trainer.setAdapter(retracted(await trainer.adapter()));
        return result;
      },
      setAdapter: async (theta) => trainer.setAdapter(retracted(theta)),
      evaluate: async (options): Promise<Evaluation> => {
        const { adapter = await trainer.adapter() } = options;
        const evaluation = await trainer.evaluate(options);
        return adapter !== "base" && isFar(adapter) ? { ...evaluation, loss: Number.NaN } : evaluation;
      },
    };
  };
}

/** Honest peers of one target, beside one that sends this value, or what it gives, in every place and round. */
async function beside(
  manifest: NetworkManifest,
  { kind, honest, lie }: { kind: string; honest: number; lie: (round: number, place: number) => number },
): Promise<readonly Peer[]> {
  const { clock, hub } = world();
  const liar = hub.join("liar");
  const setting: Setting = { manifest, target: 0.5, wrap: asModel(kind) };
  const peers: Peer[] = [];
  for (let i = 0; i < honest; i++) peers.push(await peer(clock, hub, `h${i}`, setting));
  let sent = -1;
  const tell = (round: number): void => {
    if (round <= sent || round >= ROUNDS) return;
    sent = round;
    const theta = Float32Array.from({ length: P }, (_, place) => lie(round, place));
    void liar.publish({ round, theta, localSteps: 1, sampleCount: 1_000_000 });
  };
  tell(0);
  for (const { exchange } of peers) exchange.onUpdate(({ round = 0 }) => tell(round));
  const reports = await run(clock, ...peers);
  for (const { swarm, alone, rounds } of reports) {
    expect(rounds).toHaveLength(ROUNDS);
    expect(swarm.loss).toBeLessThan(alone!.loss + 0.02);
  }
  return peers;
}

const VALUES = [FLOAT16_MAX, FLOAT32_MAX];

describe("one neighbour with the largest values", () => {
  const rows = Object.keys(KINDS).flatMap((kind) => LAMBDAS.map((lambda) => ({ kind, lambda, name: lambda.mode })));
  test.each(rows)(
    "ends no $kind peer with lambda $name, and leaves none worse off than alone",
    async ({ kind, lambda }) => {
      for (const rule of ["mean", "geometric-median"]) {
        for (const value of VALUES) {
          for (const honest of [1, 2, 4]) {
            await beside(manifestOf(kind, { rule, lambda }), { kind, honest, lie: () => value });
          }
        }
      }
    },
  );

  test.each<object>([
    { rule: "median" },
    { rule: "trimmed-mean", trim: 0.25 },
    { rule: "krum", faulty: 1 },
    { rule: "multi-krum", faulty: 1 },
    { rule: "centred-clipping", radius: 0.1 },
    { rule: "clipped-gossip", radius: 0.1 },
    { rule: "vetted-mean" },
    { rule: "mean", normClip: true },
    { rule: "mean", scope: "global" },
    { rule: "mean", weights: { kind: "samples" } },
    { rule: "mean", weights: { kind: "metropolis" } },
  ])("ends nobody with %j", async (settings) => {
    for (const kind of Object.keys(KINDS)) {
      for (const honest of [2, 3]) {
        const manifest = manifestOf(kind, { ...settings, lambda: { mode: "fixed", value: 0.5 } });
        await beside(manifest, { kind, honest, lie: (round, place) => ((round + place) % 2 ? -1 : 1) * FLOAT32_MAX });
      }
    }
  });

  test("ends nobody with products, whose mean is beyond what float32 holds", async () => {
    const manifest = manifestOf("lora", { rule: "mean", factors: "product" });
    await beside(manifest, { kind: "lora", honest: 2, lie: (_, place) => (place < 4 ? 1e15 : -1e15) });
  });

  test("is refused and said, round by round", async () => {
    const [one] = await beside(manifestOf("lora", {}), { kind: "lora", honest: 2, lie: () => FLOAT32_MAX });
    const refused = ofType(one!.events, "refused");
    expect(refused.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(["values"]));
    const summaries = ofType(one!.events, "round").map(({ summary }) => summary);
    for (const { lambda, neighbours } of summaries)
      expect({ lambda, neighbours }).toEqual({ lambda: 0, neighbours: 2 });
  });

  test("of a size that only the loss tells is refused by it", async () => {
    const [one] = await beside(manifestOf("lora", {}), { kind: "lora", honest: 2, lie: () => 300 });
    expect(new Set(ofType(one!.events, "refused").map(({ reason }) => reason))).toEqual(new Set(["loss"]));
  });
});

test("a neighbour that helps first and harms later leaves no peer worse off than alone under the adaptive lambda", async () => {
  const manifest = manifestOf("lora", { lambda: { mode: "adaptive" } });
  for (const harm of [-3, 2, 0.7, 0.3]) {
    for (const from of [1, 2, 3, 4, 5]) {
      await beside(manifest, { kind: "lora", honest: 1, lie: (round) => (round < from ? 0.5 : harm) });
    }
  }
});

describe("an honest round", () => {
  test("costs no evaluation beside that of the adapter which leaves it, and the look at one neighbour; the base costs one", async () => {
    const { clock, hub } = world();
    const looks: string[] = [];
    const atNeighbours: number[] = [];
    let ofBase = 0;
    const counting = (trainer: Trainer): Trainer => ({
      ...trainer,
      evaluate: (options) => {
        const { examplesMax } = options;
        if (examplesMax !== undefined) atNeighbours.push(examplesMax);
        else if (options.adapter === "base") ofBase += options.set === "validation" ? 1 : 0;
        else if (options.set === "validation") looks.push(options.adapter === undefined ? "trainer" : "other");
        return trainer.evaluate(options);
      },
    });
    const manifest = manifestOf("lora", {});
    const peers = [
      await peer(clock, hub, "a", { manifest, wrap: counting }),
      await peer(clock, hub, "b", { manifest }),
      await peer(clock, hub, "d", { manifest }),
    ];
    await run(clock, ...peers);
    // One a round, and as many in the training alone that the peer compares itself with in the end.
    expect(looks).toEqual(Array(2 * ROUNDS).fill("trainer"));
    expect(ofBase).toBe(1);
    // The own adapter, and the mix with the neighbour.
    expect(atNeighbours).toEqual(Array(2 * ROUNDS).fill(LOOK_EXAMPLES_MAX));
    for (const { events } of peers) expect(ofType(events, "refused")).toEqual([]);
  });
});

describe("values that harm only after the mix", () => {
  test("end nobody: the peer goes back to the adapter that they had not come into", async () => {
    // Training that goes nowhere as long as a value of others is in the adapter, which no loss shows.
    let isPoisoned = false;
    const blind = (trainer: Trainer): Trainer => ({
      ...trainer,
      setAdapter: async (theta) => {
        isPoisoned = theta.some((x) => x > 5);
        await trainer.setAdapter(theta);
      },
      reset: async () => {
        isPoisoned = false;
        await trainer.reset();
      },
      train: async (options) => {
        if (isPoisoned) throw new NodeError("TRAINING_DIVERGED", "the loss was not finite");
        return trainer.train(options);
      },
      evaluate: async (options) => ({ ...(await trainer.evaluate(options)), loss: 1 }),
    });
    const { clock, hub } = world();
    const liar = hub.join("liar");
    const manifest = manifestOf("lora", {});
    const one = await peer(clock, hub, "a", { manifest, compareAlone: false, wrap: blind });
    const other = await peer(clock, hub, "b", { manifest, compareAlone: false });
    for (let round = 0; round < ROUNDS; round++) {
      void liar.publish({ round, theta: new Float32Array(P).fill(40), localSteps: 1, sampleCount: 1 });
    }
    const [report] = await run(clock, one, other);
    expect(report!.rounds).toHaveLength(ROUNDS);
    expect(ofType(one.events, "refused").some(({ reason }) => reason === "diverged")).toBe(true);
  });
});

describe("a checkpoint that an older version wrote after a ruined round", () => {
  const manifest = manifestOf("lora", {});
  const start = async (): Promise<Checkpoint> => {
    const { clock, hub } = world();
    const setting = { manifest, target: 0.5, wrap: asModel("lora") };
    const peers = [await peer(clock, hub, "h0", setting), await peer(clock, hub, "h1", setting)];
    await run(clock, ...peers);
    return peers[0]!.checkpoints.saved.find(({ state }) => positionOf(state).round === 3)!;
  };
  const positionOf = (state: unknown) => (state as { position: { round: number; phase: string } }).position;

  const rows: readonly (readonly [string, (checkpoint: Checkpoint) => Checkpoint])[] = [
    ["an adapter that is not finite", (one) => withVectors(one, ["adapter"], Number.POSITIVE_INFINITY)],
    ["moments that are not finite", (one) => withVectors(one, ["first_moment"], Number.NaN)],
    [
      "a past that is not finite",
      (one) => withVectors(one, ["reference.0", "reference.1", "adapter"], Number.POSITIVE_INFINITY),
    ],
    ["a past of the largest values", (one) => withVectors(one, ["reference.0", "reference.1"], FLOAT32_MAX)],
    [
      "an adapter and a past of the largest values",
      (one) => lastLoss(withVectors(one, ["reference.0", "reference.1", "adapter"], FLOAT32_MAX), 1e30),
    ],
  ];
  test.each(rows)("with %s is gone on from", async (_, ruin) => {
    const { clock, hub } = world();
    const setting = { manifest, target: 0.5, wrap: asModel("lora") };
    const checkpoints = createMemoryCheckpoints(ruin(await start()));
    const one = await peer(clock, hub, "h0", { ...setting, checkpoints });
    const [report] = await run(clock, one);
    expect(report!.swarm.loss).toBeLessThan(0.1);
    expect(ofType(one.events, "refused").length).toBeGreaterThan(0);
  });

  function withVectors(checkpoint: Checkpoint, names: readonly string[], value: number): Checkpoint {
    const vectors = new Map(checkpoint.vectors);
    for (const name of names) {
      expect(vectors.has(name), name).toBe(true);
      vectors.set(name, new Float32Array(P).fill(value));
    }
    return { ...checkpoint, vectors };
  }

  function lastLoss(checkpoint: Checkpoint, validationLoss: number): Checkpoint {
    const state = structuredClone(checkpoint.state) as { summaries: { validationLoss: number }[] };
    state.summaries.at(-1)!.validationLoss = validationLoss;
    return { ...checkpoint, state };
  }
});
