/** Digests by which a peer knows its examples again, because a checkpoint is worth nothing beside other data. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { NodeError } from "../errors.ts";
import type { Example, ExampleSets } from "../interface/trainer.ts";

/** A digest of each set, in hex. */
export type ExampleDigests = Readonly<Record<keyof ExampleSets, string>>;

const SETS = ["train", "validation", "test"] as const satisfies readonly (keyof ExampleSets)[];

/**
 * SHA-256 of each set's examples in their order, which decides what a batch holds; for one example the numbers of its
 * tokens and of its prompt's tokens, then the tokens, then the ends of its learnt ranges where it names them, as signed
 * 32-bit little-endian.
 */
export function exampleDigests(sets: ExampleSets): ExampleDigests {
  return { train: digestOf(sets.train), validation: digestOf(sets.validation), test: digestOf(sets.test) };
}

function digestOf(examples: readonly Example[]): string {
  const hash = sha256.create();
  for (const { tokens, promptLength, learnt = [] } of examples) {
    const values = [tokens.length, promptLength, ...tokens, ...learnt.flat()];
    const view = new DataView(new ArrayBuffer(4 * values.length));
    for (const [i, value] of values.entries()) view.setInt32(4 * i, value, true);
    hash.update(new Uint8Array(view.buffer));
  }
  return bytesToHex(hash.digest());
}

/**
 * found: the examples that a checkpoint was trained with; undefined where a changed manifest cut the data otherwise.
 * Throws: DATA_MISMATCH.
 */
export function checkSameExamples(found: ExampleDigests | undefined, given: ExampleDigests): void {
  if (found === undefined) return;
  const differing = SETS.filter((set) => found[set] !== given[set]);
  if (differing.length === 0) return;
  const text = `the checkpoint was trained with other data (different: ${differing.join(", ")} examples)`;
  throw new NodeError("DATA_MISMATCH", text, { differing, found, given, problem: "another-data" });
}
