/** A small network with three peers, from fixed seeds: the setting of the golden vectors and of the tests. */
import { contentIdOf } from "../content-id.ts";
import { encodeUpdate } from "../encoding/update-payload.ts";
import { createSigner, type Signer } from "../envelope.ts";
import { type JudgeContext, judgeRules } from "../judge-context.ts";
import { MANIFEST_DEFAULTS, type NetworkManifest, networkId } from "../network-manifest.ts";
import { createPrng } from "../prng.ts";
import { SKETCH_FEATURES, type SketchFields } from "../sketch.ts";
import type { UpdateFields } from "../update.ts";

/** The manifest of the example network. */
export const EXAMPLE_MANIFEST: NetworkManifest = {
  schema: "weft-network/1",
  name: "example",
  seed: 7,
  model: {
    family: "llama",
    digest: { weights: "11".repeat(32), config: "22".repeat(32), tokenizer: "33".repeat(32) },
  },
  adapter: { kind: "loreft", rank: 1, layers: [0], positions: { first: 1, last: 1, tied: true } },
  tensors: [
    { name: "layers.0.prefix.R", shape: [1, 2] },
    { name: "layers.0.prefix.W", shape: [1, 2] },
    { name: "layers.0.prefix.b", shape: [1] },
  ],
  ...MANIFEST_DEFAULTS,
  rounds: { ...MANIFEST_DEFAULTS.rounds, count: 100 },
  // The settings of new networks when the vectors were made; a network keeps its settings.
  aggregation: { ...MANIFEST_DEFAULTS.aggregation, rule: "geometric-median", lambda: { mode: "search" } },
  reference: { kind: "window", size: 4, weights: "uniform", l1: 1e-3, l2: 1e-2 },
  bootstrap: ["/ip4/127.0.0.1/tcp/4001"],
};

/** The secret key whose 32 bytes are all `byte`. */
export const exampleSecretKey = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** The receiver, two members, and a peer that is no member. */
export const SELF: Signer = createSigner(exampleSecretKey(1));
/** A peer of the example network. */
export const ALICE: Signer = createSigner(exampleSecretKey(2));
/** Another peer of the example network. */
export const BOB: Signer = createSigner(exampleSecretKey(3));
/** A peer that the example network does not admit. */
export const STRANGER: Signer = createSigner(exampleSecretKey(4));

/** A member that may receive only. */
export const OBSERVER: Signer = createSigner(exampleSecretKey(10));

/** Content id of nothing in particular. */
export const SOME_CONTENT_ID = contentIdOf(new TextEncoder().encode("some update"));

/** The values of the example's update, f32[5]. */
export const EXAMPLE_VALUES = Float32Array.of(0.5, -1.25, 0, 3e-8, 1e30);

/** The number of the encoding that the example uses. */
export const ENCODING_FLOAT32 = 1;

/** The payload of values as float32. */
export function float32Payload(values: Float32Array): Uint8Array {
  const tensors = [{ name: "all", shape: [values.length] }];
  return encodeUpdate(values, { tensors, sequence: 0, prng: createPrng(0) }).payload;
}

/** Alice's update number 5, of round 3. */
export const EXAMPLE_UPDATE: UpdateFields = {
  networkId: networkId(EXAMPLE_MANIFEST),
  round: 3,
  sequence: 5,
  previous: SOME_CONTENT_ID,
  localSteps: 10,
  sampleCount: 300,
  encoding: ENCODING_FLOAT32,
  payload: float32Payload(EXAMPLE_VALUES),
};

/** A sketch of three components. */
export const EXAMPLE_SKETCH: SketchFields = {
  networkId: networkId(EXAMPLE_MANIFEST),
  components: [0.5, 0.3, 0.2].map((weight, c) => ({
    weight,
    mean: Float64Array.from({ length: SKETCH_FEATURES }, (_, i) => (i === c ? -1 : i / SKETCH_FEATURES / 4)),
    deviation: Float64Array.from({ length: SKETCH_FEATURES }, (_, i) => (i + c) / 64),
  })),
};

/** The receiver's state unless a vector says otherwise: it is in round 3 and has seen nobody's chain. */
export const EXAMPLE_CONTEXT: JudgeContext = {
  ...judgeRules(EXAMPLE_MANIFEST),
  self: SELF.peer,
  isMember: (peer) => [SELF.peer, ALICE.peer, BOB.peer, OBSERVER.peer].includes(peer),
  maySend: (peer) => peer !== OBSERVER.peer,
  headOf: () => undefined,
  round: 3,
};
