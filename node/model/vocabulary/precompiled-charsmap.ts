/**
 * SentencePiece's map of characters, as tokenizers (Hugging Face) applies it: a double array of UTF-8 bytes that leads to the text which
 * takes the place of what was read.
 * Source: huggingface/tokenizers, normalizers/precompiled.rs; the crate spm_precompiled; the form of darts-clone.
 */

/** Texts are normalised cluster by cluster; clusters of at least this many bytes only character by character. */
const CLUSTER_BYTES = 6;
/** Clusters whose text is remembered. */
const KNOWN_MAX = 10_000;

/** A text as it is with the map's characters. */
export class PrecompiledCharsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #known = new Map<string, string>();
  readonly #segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

  /** Throws: Error for bytes that are no such map. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
    if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) {
      throw new Error("its map of characters (precompiled_charsmap) is damaged");
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#texts = bytes.subarray(4 + size);
  }

  /** The text that the model reads. */
  normalize(text: string): string {
    let normalized = "";
    for (const { segment } of this.#segmenter.segment(text)) {
      let found = this.#known.get(segment);
      if (found === undefined) {
        found = this.#cluster(segment);
        if (this.#known.size >= KNOWN_MAX) this.#known.clear();
        this.#known.set(segment, found);
      }
      normalized += found;
    }
    return normalized;
  }

  #cluster(cluster: string): string {
    const bytes = encoder.encode(cluster);
    const whole = bytes.length < CLUSTER_BYTES ? this.#find(bytes) : undefined;
    return whole ?? [...cluster].map((character) => this.#find(encoder.encode(character)) ?? character).join("");
  }

  /** The text for the shortest beginning of the bytes that the map has. */
  #find(bytes: Uint8Array): string | undefined {
    let at = 0;
    let unit = this.#units[0] ?? 0;
    at ^= offset(unit);
    for (const byte of bytes) {
      if (byte === 0) return undefined;
      at ^= byte;
      unit = this.#units[at] ?? 0;
      // A leaf's label has its sign bit set.
      if ((unit & 0x800000ff) !== byte) return undefined;
      at ^= offset(unit);
      if (((unit >>> 8) & 1) === 1) return this.#textAt((this.#units[at] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  #textAt(begin: number): string {
    const end = this.#texts.indexOf(0, begin);
    return decoder.decode(this.#texts.subarray(begin, end < 0 ? undefined : end));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const offset = (unit: number): number => ((unit >>> 10) << ((unit & (1 << 9)) >>> 6)) >>> 0;
