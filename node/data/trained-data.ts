/**
 * What an adapter was trained on, kept in a file beside it whatever its form: digests of the examples, so that nobody
 * tests it on them later, and how text became tokens. Who has an example can find out by the file whether it was among
 * them, and nothing else; leave the file out where that must not be known.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { base64 } from "@scure/base";
import { z } from "zod";
import { NodeError } from "../errors.ts";
import type { TemplateTexts } from "../model/chat-template.ts";
import { DIGEST_DIGITS } from "./content-digest.ts";
import { FRAMES, type FrameName } from "./frame.ts";

/** The file's name in the folder of an adapter. */
export const TRAINED_DATA_JSON = "weft-data.json";
const SCHEMA = "weft-data/1";

/** What is kept about the data of an adapter. */
export interface TrainedData {
  readonly frame: FrameName;
  /** The template of the frame, where that is one. */
  readonly chatTemplate?: TemplateTexts | undefined;
  readonly maxTokens: number;
  readonly batchSize: number;
  /** Of the examples trained on, by content. */
  readonly digests: ReadonlySet<string>;
}

const file = z.strictObject({
  schema: z.literal(SCHEMA),
  frame: z.enum(FRAMES),
  chatTemplate: z.strictObject({ text: z.string(), toolUse: z.string().optional() }).optional(),
  maxTokens: z.number().int().min(2),
  batchSize: z.number().int().min(1),
  trained: z.strictObject({ count: z.number().int().min(0), digests: z.string() }),
});

/** The file's bytes. Digests are sorted, so that the order of the data does not show. */
export function formatTrainedData({ digests, ...settings }: TrainedData): Uint8Array {
  const sorted = [...digests].toSorted();
  const trained = { count: sorted.length, digests: base64.encode(hexToBytes(sorted.join(""))) };
  const text = JSON.stringify({ schema: SCHEMA, ...settings, trained }, null, 2);
  return new TextEncoder().encode(`${text}\n`);
}

/** folder: for error lines.  Throws: ADAPTER_FILE for a file that is none or is damaged. */
export function parseTrainedData(bytes: Uint8Array, folder: string): TrainedData {
  const fail = (cause?: unknown): NodeError => {
    const text = `${folder}/${TRAINED_DATA_JSON} cannot be read; copy it again, or remove it and mind what you test on`;
    return new NodeError("ADAPTER_FILE", text, { folder }, { cause });
  };
  try {
    const { trained, schema: _, ...settings } = file.parse(JSON.parse(new TextDecoder().decode(bytes)));
    const digits = bytesToHex(base64.decode(trained.digests));
    if (digits.length !== trained.count * DIGEST_DIGITS) throw new Error("the number of digests is another");
    const each = Array.from({ length: trained.count }, (_, i) =>
      digits.slice(i * DIGEST_DIGITS, (i + 1) * DIGEST_DIGITS),
    );
    if (settings.frame === "template" && settings.chatTemplate === undefined)
      throw new Error("the template is missing");
    return { ...settings, digests: new Set(each) };
  } catch (cause) {
    throw fail(cause);
  }
}
