/** The embedded tasks, divided among peers in the ways that the papers compare. */

import { prepareExamples, taskRecords } from "../../node/data/dataset.ts";
import { defaultTasks, type TaskSets } from "../../node/data/embedded/default-tasks.ts";
import { TUNED_KINDS } from "../../node/data/embedded/tuned-kinds.ts";
import { partition } from "../../node/data/partition.ts";
import type { DataRecord } from "../../node/data/record.ts";
import { NodeError } from "../../node/errors.ts";
import type { Tokenizer } from "../../node/model/tokenizer.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { PeerData } from "./peer-data.ts";
import type { Split } from "./split.ts";

/** How the embedded tasks are divided. */
export interface DataSettings {
  readonly split: Split;
  readonly peers: number;
  readonly seed: number;
  /** Records per peer and set, on average where sizes are skewed. */
  readonly sizes: { readonly train: number; readonly validation: number; readonly test: number };
  readonly tokenizer: Tokenizer;
  readonly maxTokens: number;
  readonly batchSize: number;
}

/** Every peer's examples.  Throws: NodeError DATA_TOO_SMALL where a skew leaves a peer without a batch of each set. */
export function embeddedData(settings: DataSettings): readonly PeerData[] {
  const { split, peers } = settings;
  switch (split.kind) {
    case "distinct":
      return Array.from({ length: peers }, (_, peer) => {
        const kind = TUNED_KINDS[peer % TUNED_KINDS.length]!.name;
        return prepared(settings, taskRecords(tasks(settings, [kind])[peer]!), { peer, task: kind });
      });
    case "mixed":
      return tasks(settings).map((sets, peer) => prepared(settings, taskRecords(sets), { peer, task: undefined }));
    case "iid":
    case "mixture":
    case "dirichlet": {
      const pool = poolOf(settings);
      const rule = split.kind === "dirichlet" ? { ...split, field: "kind" } : ({ kind: "iid" } as const);
      return divide(pool, settings, rule).map((records, peer) =>
        prepared(settings, records, { peer, task: undefined }),
      );
    }
  }
}

function tasks({ seed, peers, sizes }: DataSettings, kinds?: readonly string[]): TaskSets[] {
  return defaultTasks({ seed, peers, sizes, ...(kinds ? { kinds } : {}) });
}

/**
 * Records of every kind for so many peers, none of them twice: as many of each kind, or of the k-th of a mixture k times as many
 * as of the first.
 */
function poolOf({ split, peers, sizes, seed }: DataSettings): readonly DataRecord[] {
  const sizeOf = (k: number): number => (split.kind === "mixture" ? k + 1 : 1);
  const whole = TUNED_KINDS.reduce((sum, _, k) => sum + sizeOf(k), 0);
  return TUNED_KINDS.flatMap(({ name }, k) => {
    const share = (size: number): number => Math.ceil((size * peers * sizeOf(k)) / whole);
    const each = { train: share(sizes.train), validation: share(sizes.validation), test: share(sizes.test) };
    return taskRecords(defaultTasks({ seed, peers: 1, sizes: each, kinds: [name] })[0]!);
  });
}

/** Draws of a division until every peer has a batch of each set. */
const DIVISIONS_MAX = 2000;

/**
 * By the product's own rule, drawn again until every peer has a batch to train, to validate and to test on.
 * Throws: DATA_TOO_SMALL.
 */
export function divide(
  records: readonly DataRecord[],
  { peers, seed, batchSize }: Pick<DataSettings, "peers" | "seed" | "batchSize">,
  rule: Parameters<typeof partition>[1]["rule"],
): readonly (readonly DataRecord[])[] {
  const draws = createPrng(seed).fork("divisions");
  for (let draw = 0; draw < DIVISIONS_MAX; draw++) {
    const divided = tryPartition(records, { rule, peers, seed: draws.uint32() });
    if (divided?.every((own) => SETS.every((set) => countOf(own, set) >= batchSize))) return divided;
  }
  const text = `no division of ${records.length} records leaves each of ${peers} peers a batch of ${batchSize} in every set; take fewer peers or a larger alpha`;
  throw new NodeError("DATA_TOO_SMALL", text, { records: records.length, peers, batchSize });
}

const SETS = ["train", "validation", "test"] as const;
const countOf = (records: readonly DataRecord[], set: string): number =>
  records.filter(({ fields }) => fields.set === set).length;

function tryPartition(...given: Parameters<typeof partition>): DataRecord[][] | undefined {
  try {
    return partition(...given);
  } catch (error) {
    if (error instanceof NodeError && error.code === "DATA_TOO_SMALL") return undefined;
    throw error;
  }
}

function prepared(
  settings: DataSettings,
  records: readonly DataRecord[],
  { peer, task }: { readonly peer: number; readonly task: string | undefined },
): PeerData {
  const { tokenizer, maxTokens, batchSize, seed } = settings;
  const { sets } = prepareExamples(records, { tokenizer, maxTokens, batchSize, seed: seed + peer });
  return { task, sets };
}
