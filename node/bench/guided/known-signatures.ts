/**
 * A check of signatures at the price of a look-up, for the fuzzer: whatever was signed is known, and nothing that chance makes
 * of it is a signature. `npm run fuzz` has the curve decide.
 */
import type { VerifySignature } from "../../../protocol/membership/signatures.ts";

/** What a real check accepts of the inputs that `read` is given first, and nothing else from then on. */
export class KnownSignatures {
  readonly #known = new Set<string>();
  readonly #real: VerifySignature;
  #isLearning = true;

  constructor(real: VerifySignature) {
    this.#real = real;
  }

  readonly verify: VerifySignature = (publicKey, message, signature) => {
    const name = nameOf(publicKey, message, signature);
    if (this.#known.has(name)) return true;
    if (!this.#isLearning || !this.#real(publicKey, message, signature)) return false;
    this.#known.add(name);
    return true;
  };

  /** What is read from now on signs nothing new. */
  freeze(): void {
    this.#isLearning = false;
  }
}

const nameOf = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): string =>
  [signature, publicKey, message]
    .map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"))
    .join("|");
