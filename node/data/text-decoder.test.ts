import { describe, expect, test } from "vitest";
import { decodedText } from "./text-decoder.ts";

async function decode(bytes: Uint8Array, { charset, at = bytes.length }: { charset?: string; at?: number } = {}) {
  const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
  let text = "";
  for await (const piece of decodedText(pieces, { file: "f", ...(charset && { charset }) })) text += piece;
  return text;
}
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("bytes as text", () => {
  test("UTF-8 is read wherever its pieces are cut", async () => {
    const text = "é 犬 🐕\n\u{10ffff}\ud7ff";
    const bytes = utf8(text);
    for (let at = 0; at <= bytes.length; at++) expect(await decode(bytes, { at }), `cut at ${at}`).toBe(text);
  });

  const wrong: [title: string, bytes: number[], text: RegExp][] = [
    [
      "a lone continuation",
      [0x61, 0x0a, 0x62, 0x80],
      /^f:2: byte 2 of the line \(80\) is not UTF-8; .* such as latin1/,
    ],
    [
      "Shift JIS",
      [0x82, 0xb1, 0x82, 0xea, 0x82, 0xcd],
      /^f:1: byte 1 of the line \(82\) is not UTF-8; .* such as shift_jis, gb18030, euc-kr or windows-1251$/,
    ],
    ["an overlong form", [0xc0, 0x80], /^f:1: byte 1 of the line \(c0\)/],
    ["an overlong form of three", [0xe0, 0x80, 0x80], /^f:1: byte 1 of the line \(e0\)/],
    ["a surrogate", [0xed, 0xa0, 0x80], /^f:1: byte 1 of the line \(ed\)/],
    ["above the last character", [0xf4, 0x90, 0x80, 0x80], /^f:1: byte 1 of the line \(f4\)/],
    ["a character that is cut by another", [0x61, 0xe9, 0x62], /^f:1: byte 2 of the line \(e9\)/],
    ["a character without its end", [0x61, 0xe7, 0x8a], /^f:1: the file ends within a character/],
    ["UTF-16 from the left", [0xff, 0xfe, 0x61, 0], /^f: this is UTF-16 \(little-endian\), not UTF-8; give utf-16le/],
    ["UTF-16 from the right", [0xfe, 0xff, 0, 0x61], /^f: this is UTF-16 \(big-endian\), not UTF-8; give utf-16be/],
    ["NUL", [0x61, 0x0a, 0], /^f:2: a NUL character \(byte 00\) stands here/],
    ["another control", [0x61, 0x01], /^f:1: a control character \(byte 01\) stands here/],
  ];
  test.each(wrong)("%s is refused at its place", async (_, bytes, text) => {
    await expect(decode(Uint8Array.from(bytes))).rejects.toMatchObject({
      code: "DATA_FORMAT",
      message: expect.stringMatching(text),
    });
  });

  test("other sets of characters are read where they are named", async () => {
    expect(await decode(Uint8Array.from([0xe9, 0x80]), { charset: "windows-1252" })).toBe("é€");
    expect(await decode(Uint8Array.from([0xff, 0xfe, 0x61, 0]), { charset: "utf-16le" })).toBe("a");
    await expect(decode(utf8("a"), { charset: "klingon" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
