/** One case of `bench:aggregate`, in a process of its own: node aggregate-case.ts NUMBER prints one line of JSON. */
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { aggregateNeighbours, type NeighbourUpdate } from "../aggregation/index.ts";
import { AGGREGATE_CASES, type AggregateShape, LIAR_EVERY, TENSOR_COUNT } from "./aggregate-cases.ts";

/** The cost of one case. */
export interface AggregateMeasurement {
  /** Processor time of one aggregation, all threads of the process together; the least of the runs. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Peak memory of the first run above what the process held with its inputs, as a share of the inputs. */
  readonly overhead: number;
}

const RUNS = 5;

const { shape, settings } = AGGREGATE_CASES[Number(process.argv[2])]!;
const { own, neighbours } = inputs(shape);
const slots = adapterSlots(
  Array.from({ length: TENSOR_COUNT }, (_, i) => ({ name: `layers.${i}.C`, shape: [shape.parameters / TENSOR_COUNT] })),
);
const before = process.memoryUsage().rss;
const runs = Array.from({ length: RUNS }, () => {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const { peers } = aggregateNeighbours({
    kind: "tri-lora",
    slots,
    own: { peer: "self", theta: own },
    neighbours,
    settings: { ...settings, scope: "tensor", stalenessExponent: 0.5, ageMax: 8 },
    round: 8,
  });
  const { user, system } = process.cpuUsage(cpu);
  if (peers.length !== neighbours.length) throw new Error(`only ${peers.length} neighbours were aggregated`);
  return {
    cpu: (user + system) / 1e6,
    wall: (performance.now() - start) / 1e3,
    peakKib: process.resourceUsage().maxRSS,
  };
});
const bytes = 4 * shape.neighbours * shape.parameters;
const measurement: AggregateMeasurement = {
  cpuSeconds: Math.min(...runs.map(({ cpu }) => cpu)),
  wallSeconds: Math.min(...runs.map(({ wall }) => wall)),
  overhead: (1024 * runs[0]!.peakKib - before) / bytes,
};
process.stdout.write(`${JSON.stringify(measurement)}\n`);

/** Uniform noise around a common vector, every fourth neighbour far off, ages of 0 to 2 rounds. */
function inputs({ neighbours, parameters }: AggregateShape): {
  own: Float32Array;
  neighbours: NeighbourUpdate[];
} {
  const prng = createPrng(1);
  const common = Float32Array.from({ length: parameters }, () => prng.uniform() - 0.5);
  const noise = Float32Array.from({ length: 65_536 }, () => prng.normal());
  const around = (offset: number): Float32Array => {
    const theta = new Float32Array(parameters);
    const from = prng.below(noise.length);
    for (let i = 0; i < parameters; i++) {
      theta[i] = common[i]! + 0.3 * noise[(from + i * 7) % noise.length]! + offset;
    }
    return theta;
  };
  return {
    own: around(0),
    neighbours: Array.from({ length: neighbours }, (_, j) => ({
      peer: `peer-${String(j).padStart(4, "0")}`,
      round: 8 - (j % 3),
      theta: around(j % LIAR_EVERY === 0 ? 2 : 0),
      sampleCount: 100,
    })),
  };
}
