import { describe, expect, test } from "vitest";
import { readParagraphs, textBlocks } from "./plain-text.ts";
import { looksLikePlay, readSpeeches } from "./speakers.ts";

const file = "text.txt";
const play =
  "First Citizen:\nBefore we proceed,\nhear me.\n\nAll:\nSpeak, speak.\n\n\nGhost:\n\nAll:\r\nWe know't.\r\n";

describe("plays", () => {
  test("a record a speech, with its speaker; a name without a speech is skipped", () => {
    expect(readSpeeches(play, { file })).toEqual(
      [
        ["First Citizen", "Before we proceed,\nhear me."],
        ["All", "Speak, speak."],
        ["All", "We know't."],
      ].map(([speaker, response]) => ({
        prompt: `${speaker}:\n`,
        response,
        fields: { speaker },
        overflow: "continue",
      })),
    );
  });

  test("a block without a name goes on with the speech before it", () => {
    const [speech] = readSpeeches("ANN:\nOne.\n\nTwo:three.\n", { file });
    expect(speech!.response).toBe("One.\n\nTwo:three.");
  });

  test("a text that begins without a name, or has no speech, is refused", () => {
    expect(() => readSpeeches("\n\nHello there.\n", { file })).toThrow('text.txt:3: a play begins with a line "NAME:"');
    expect(() => readSpeeches("ANN:\n", { file })).toThrow(/text\.txt holds no speech; write "NAME:"/);
  });

  test("a play is told from prose by most of its first blocks", () => {
    expect(looksLikePlay(play)).toBe(true);
    expect(looksLikePlay("A title\n\nSome prose here.\nMore of it.\n\nNote:\nprose again.\n")).toBe(false);
    expect(looksLikePlay("")).toBe(false);
  });
});

describe("prose", () => {
  test("blocks know the line they start at", () => {
    expect(textBlocks("\na\nb\n\n\nc").map(({ lines, line }) => [lines.join("|"), line])).toEqual([
      ["a|b", 2],
      ["c", 6],
    ]);
  });

  test("a paragraph's first four words are the prompt; nothing of the text is lost", () => {
    const text = "It was the best of times, it was the worst.\n\nIt was the age of wisdom and folly.";
    const records = readParagraphs(text, { file });
    expect(records.map(({ prompt }) => prompt)).toEqual(["It was the best", "It was the age"]);
    expect(records.map(({ prompt, response }) => prompt + response).join("\n\n")).toBe(text);
    expect(records.every(({ overflow }) => overflow === "continue")).toBe(true);
  });

  test("headings are joined to what follows, a short end to what comes before", () => {
    const text = "Chapter 1\n\nIt was the best of times, it was.\n\nThe end.";
    expect(readParagraphs(text, { file }).map(({ prompt, response }) => prompt + response)).toEqual([text]);
  });

  test("a text of fewer than 8 words is refused", () => {
    expect(() => readParagraphs("one two three", { file })).toThrow(/text\.txt has fewer than 8 words/);
  });
});
