/** Reads a model file of SentencePiece: its pieces and how it divides texts. */
import { fromBinary } from "@bufbuild/protobuf";
import { NodeError } from "../../errors.ts";
import { strictText } from "../strict-text.ts";
import { type ModelProto, ModelProtoSchema } from "./sentencepiece_pb.ts";

/** A piece; its id is its place. */
export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly kind: "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte";
}

/** A model of SentencePiece. */
export interface SentencePieces {
  readonly kind: "unigram" | "bpe";
  readonly pieces: readonly Piece[];
  readonly unknownId: number;
  /** How texts are normalised, as `precompiled-charsmap.ts` reads it; empty where they are not. */
  readonly charsmap: Uint8Array;
}

const KINDS: readonly (Piece["kind"] | undefined)[] = [
  undefined,
  "normal",
  "unknown",
  "control",
  "user-defined",
  "unused",
  "byte",
];
const MODEL_KINDS: Readonly<Record<number, SentencePieces["kind"] | "words" | "characters">> = {
  1: "unigram",
  2: "bpe",
  3: "words",
  4: "characters",
};

/**
 * name: of the file, for error lines.
 * Throws: MODEL_CONFIG, without the folder, for a file that is damaged, contradicts itself or is a model of words or characters.
 */
export function readSentencePieces(name: string, bytes: Uint8Array): SentencePieces {
  const refuse = (why: string, cause?: unknown): NodeError =>
    new NodeError("MODEL_CONFIG", `${name} ${why}`, {}, { cause });
  const { pieces, trainerSpec, normalizerSpec } = decoded(bytes, refuse);
  if (pieces.length === 0) throw refuse("is no model of SentencePiece: it has no pieces");
  const kind = MODEL_KINDS[trainerSpec?.modelType ?? 1];
  if (kind !== "unigram" && kind !== "bpe") {
    throw refuse(`is a model of ${kind ?? `kind ${trainerSpec?.modelType}`}, and weft reads unigram and BPE`);
  }
  const known = new Set<string>();
  const read = pieces.map(({ piece, score, type }, id): Piece => {
    const text = strictText(piece);
    const pieceKind = KINDS[type ?? 1];
    if (text === undefined) throw refuse(`is damaged: piece ${id} is no UTF-8`);
    if (text === "") throw refuse(`is damaged: piece ${id} is empty`);
    if (known.has(text)) throw refuse(`has the piece ${JSON.stringify(text)} twice`);
    if (!Number.isFinite(score) || pieceKind === undefined)
      throw refuse(`is damaged: piece ${id} has no score or kind`);
    known.add(text);
    return { text, score, kind: pieceKind };
  });
  const unknownId = trainerSpec?.unkId ?? 0;
  if (read[unknownId] === undefined) throw refuse(`names piece ${unknownId} as the unknown one and has ${read.length}`);
  return { kind, pieces: read, unknownId, charsmap: normalizerSpec?.precompiledCharsmap ?? new Uint8Array() };
}

function decoded(bytes: Uint8Array, refuse: (why: string, cause?: unknown) => NodeError): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw refuse("is no whole model of SentencePiece", cause);
  }
}
