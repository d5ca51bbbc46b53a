/** Changes of bytes, and their outcomes: no changed message may be accepted, and nothing may fail otherwise. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { equalBytes } from "../canonical-message.ts";
import type { VerifySignature } from "../membership/signatures.ts";
import { createPrng, type Prng } from "../prng.ts";

/** Something accepted, to be changed. */
export interface Original {
  readonly message: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The outcome of bytes, and whether they were accepted although nobody made or signed them. */
export interface FuzzJudgement {
  readonly outcome: string;
  readonly isForged: boolean;
}

/** Messages to change, and the judge of the changed ones. */
export interface FuzzTarget {
  /** Of the random numbers, too. */
  readonly name: string;
  readonly originals: readonly Original[];
  /** Throws: any error of a decoder that is no ProtocolError, which is a fault of the code. */
  judge(original: Original, bytes: Uint8Array, verify: VerifySignature): FuzzJudgement;
}

/** A target whose originals say more than every one does. */
export function fuzzTarget<T extends Original>(
  name: string,
  originals: readonly T[],
  judge: (original: T, bytes: Uint8Array, verify: VerifySignature) => FuzzJudgement,
): FuzzTarget {
  return { name, originals, judge: (original, bytes, verify) => judge(original as T, bytes, verify) };
}

/** The outcome of a run of the fuzzer. */
export interface FuzzResult {
  readonly cases: number;
  /** Outcomes and how often they came. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Everything that is needed to try one case again. */
export interface FuzzCase {
  readonly target: string;
  readonly message: string;
  /** Of the original. */
  readonly name: string;
  readonly seed: number;
  readonly index: number;
  /** The changed bytes, in hexadecimal digits. */
  readonly bytes: string;
}

/** A case that was accepted after a change, or that made a decoder fail (then with the cause). */
export class FuzzFailure extends Error {
  readonly found: FuzzCase;

  constructor(what: string, found: FuzzCase, options?: ErrorOptions) {
    const { target, message, name, seed, index, bytes } = found;
    super(`${target}: ${message} "${name}" ${what}, seed ${seed}, case ${index}: ${bytes}`, options);
    this.name = "FuzzFailure";
    this.found = found;
  }
}

/** The number of cases, the seed that changes are drawn from, and the check of signatures. */
export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
  readonly verify: VerifySignature;
}

/** Try so many changed originals from a seed.  Throws: FuzzFailure. */
export function fuzz(target: FuzzTarget, { cases, seed, verify }: FuzzOptions): FuzzResult {
  const outcomes: Record<string, number> = {};
  const { name: stream, originals } = target;
  for (const { original, bytes, index } of mutations(originals, { cases, seed, stream })) {
    const { message, name } = original;
    const outcome = judged(target, original, { bytes, verify }, () => ({
      ...{ target: target.name, message, name, seed, index },
      bytes: bytesToHex(bytes),
    }));
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return { cases, outcomes };
}

/** Try one case again; its outcome.  Throws: FuzzFailure as at the first time; Error when there is no such original. */
export function tryAgain(targets: readonly FuzzTarget[], found: FuzzCase, verify: VerifySignature): string {
  const target = targets.find(({ name }) => name === found.target);
  const isOriginal = ({ message, name }: Original) => message === found.message && name === found.name;
  const original = target?.originals.find(isOriginal);
  if (target === undefined || original === undefined) {
    throw new Error(`no ${found.message} "${found.name}" is among what ${found.target} changes`);
  }
  return judged(target, original, { bytes: hexToBytes(found.bytes), verify }, () => found);
}

function judged(
  target: FuzzTarget,
  original: Original,
  { bytes, verify }: { readonly bytes: Uint8Array; readonly verify: VerifySignature },
  found: () => FuzzCase,
): string {
  let judgement: FuzzJudgement;
  try {
    judgement = target.judge(original, bytes, verify);
  } catch (cause) {
    throw new FuzzFailure(`failed (${cause})`, found(), { cause });
  }
  if (judgement.isForged) throw new FuzzFailure("was accepted after a change", found());
  return judgement.outcome;
}

/** Each original in turn with one to three changes, and more where it comes out as it was. */
export function* mutations<T extends Original>(
  originals: readonly T[],
  { cases, seed, stream }: { readonly cases: number; readonly seed: number; readonly stream: string },
): Generator<{ readonly original: T; readonly bytes: Uint8Array; readonly index: number }> {
  const prng = createPrng(seed).fork(stream);
  for (let index = 0; index < cases; index++) {
    const original = originals[index % originals.length]!;
    let bytes = original.bytes;
    do {
      const donor = originals[prng.below(originals.length)]!;
      bytes = changed(bytes, donor.bytes, prng);
    } while (equalBytes(bytes, original.bytes));
    yield { original, bytes, index };
  }
}

/** One to three changes: a bit, a byte, some bytes out, in, doubled, from another vector, or the end cut off. */
export function changed(original: Uint8Array, donor: Uint8Array, prng: Prng): Uint8Array {
  let bytes = original;
  for (let n = 1 + prng.below(3); n > 0; n--) bytes = changedOnce(bytes, donor, prng);
  return bytes;
}

function changedOnce(bytes: Uint8Array, donor: Uint8Array, prng: Prng): Uint8Array {
  if (bytes.length === 0) return donor.length > 0 ? donor.slice(0, 1 + prng.below(8)) : Uint8Array.of(prng.below(256));
  const at = prng.below(bytes.length);
  const length = 1 + prng.below(Math.min(48, bytes.length - at));
  switch (prng.below(7)) {
    case 0:
      return bytes.with(at, bytes[at]! ^ (1 << prng.below(8)));
    case 1:
      return bytes.with(at, prng.below(256));
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 3:
      return joined(
        bytes.subarray(0, at),
        Uint8Array.from({ length }, () => prng.below(256)),
        bytes.subarray(at),
      );
    case 4:
      return joined(bytes.subarray(0, at + length), bytes.subarray(at));
    case 5:
      return joined(bytes.subarray(0, at), donor.subarray(at, at + length), bytes.subarray(at + length));
    default:
      return bytes.slice(0, at);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
