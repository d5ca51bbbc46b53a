/** Plays: blocks separated by blank lines, each a line `NAME:` and below it what the speaker says. */
import { NodeError } from "../errors.ts";
import { type Block, textBlocks } from "./plain-text.ts";
import type { DataRecord } from "./record.ts";

/** A name of at most 60 characters and a colon, alone on its line. */
const HEADING = /^(\S[^:\n]{0,59}):[ \t]*$/u;

/** Blocks that decide whether a text is a play. */
const BLOCKS_LOOKED_AT = 20;

/** Whether most of a text's first blocks begin with a speaker's name. */
export function looksLikePlay(text: string): boolean {
  const blocks = textBlocks(text.slice(0, 65_536)).slice(0, BLOCKS_LOOKED_AT);
  const spoken = blocks.filter(({ lines }) => lines.length > 1 && HEADING.test(lines[0]!));
  return blocks.length > 0 && spoken.length > blocks.length / 2;
}

/**
 * One record a speech, with the field `speaker`: prompt `NAME:` and a line break, response the speech. A block without
 * a name belongs to the speech before it; a name without a speech is skipped.
 * Throws: NodeError DATA_FORMAT for a text that does not begin with a name or holds no speech.
 */
export function readSpeeches(text: string, { file }: { readonly file: string }): DataRecord[] {
  const speeches: { speaker: string; parts: string[] }[] = [];
  for (const block of textBlocks(text)) {
    const speaker = HEADING.exec(block.lines[0]!)?.[1];
    if (speaker !== undefined) speeches.push({ speaker, parts: speechOf(block) });
    else if (speeches.length > 0) speeches.at(-1)!.parts.push(block.lines.join("\n"));
    else {
      throw new NodeError("DATA_FORMAT", `${file}:${block.line}: a play begins with a line "NAME:"; add the speaker`, {
        file,
        line: block.line,
      });
    }
  }
  const records = speeches
    .filter(({ parts }) => parts.length > 0)
    .map(
      ({ speaker, parts }): DataRecord => ({
        prompt: `${speaker}:\n`,
        response: parts.join("\n\n"),
        fields: { speaker },
        overflow: "continue",
      }),
    );
  if (records.length === 0) {
    throw new NodeError("DATA_FORMAT", `${file} holds no speech; write "NAME:" and the speech on the lines below`, {
      file,
    });
  }
  return records;
}

function speechOf({ lines }: Block): string[] {
  return lines.length > 1 ? [lines.slice(1).join("\n")] : [];
}
