/** Running text without speakers: paragraphs, each continued from its own first words. */
import { NodeError } from "../errors.ts";
import type { DataRecord } from "./record.ts";

/** Lines between two blank ones. */
export interface Block {
  readonly lines: readonly string[];
  /** Number of its first line, from 1. */
  readonly line: number;
}

/** Words of a paragraph that are its prompt. */
export const PROMPT_WORDS = 4;

/** A shorter paragraph, such as a heading, is joined to the next one. */
export const PARAGRAPH_WORDS_MIN = 2 * PROMPT_WORDS;

/** The blocks of a text, trailing white space of lines removed. */
export function textBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  const close = (next: number): void => {
    if (lines.length > 0) blocks.push({ lines, line: next - lines.length });
    lines = [];
  };
  const all = text.replace(/^\uFEFF/u, "").split(/\r\n|\n|\r/u);
  for (const [index, raw] of all.entries()) {
    const line = raw.trimEnd();
    if (line === "") close(index + 1);
    else lines.push(line);
  }
  close(all.length + 1);
  return blocks;
}

/**
 * One record a paragraph: its first 4 words are the prompt, the rest is the response and is continued in windows where
 * it is long. Paragraphs of fewer than 8 words are joined to the next.
 * Throws: NodeError DATA_FORMAT for a text of fewer than 8 words.
 */
export function readParagraphs(text: string, { file }: { readonly file: string }): DataRecord[] {
  const paragraphs: string[] = [];
  let pending = "";
  for (const { lines } of textBlocks(text)) {
    pending = pending === "" ? lines.join("\n") : `${pending}\n\n${lines.join("\n")}`;
    if (wordCount(pending) < PARAGRAPH_WORDS_MIN) continue;
    paragraphs.push(pending);
    pending = "";
  }
  if (pending !== "" && paragraphs.length > 0) paragraphs.push(`${paragraphs.pop()}\n\n${pending}`);
  if (paragraphs.length === 0) {
    throw new NodeError("DATA_FORMAT", `${file} has fewer than ${PARAGRAPH_WORDS_MIN} words; give a longer text`, {
      file,
    });
  }
  return paragraphs.map(toRecord);
}

function wordCount(text: string): number {
  return text.match(/\S+/gu)?.length ?? 0;
}

function toRecord(paragraph: string): DataRecord {
  const prompt = new RegExp(`^\\s*(?:\\S+\\s+){${PROMPT_WORDS - 1}}\\S+`, "u").exec(paragraph)![0];
  return { prompt, response: paragraph.slice(prompt.length), fields: {}, overflow: "continue" };
}
