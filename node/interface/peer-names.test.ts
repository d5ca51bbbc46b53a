import { expect, it } from "vitest";
import { PeerNames } from "./peer-names.ts";

const id = (end: string): string => `12D3KooW${"a".repeat(44 - end.length)}${end}`;

it("a short id is the end of the id, in all of a table as long as it takes to mean one peer", () => {
  const [one, two, three] = [id("x7Kq2P"), id("bx7Kq2P"), id("yyyyyy")];
  const names = new PeerNames([one, two, three]);
  expect([one, two, three].map((peer) => names.short(peer))).toEqual(["…ax7Kq2P", "…bx7Kq2P", "…yyyyyy"]);
});

it("any set of ids has short ids that are ends of one id each, whatever an attacker makes alike", () => {
  const ends = ["", "1", "21", "321", "4321", "54321"].flatMap((front) => [`${front}zzzzzz`, `${front}9zzzzzz`]);
  const ids = [...new Set(ends)].map(id);
  const names = new PeerNames(ids);
  for (const peer of ids) {
    const short = names.short(peer).replace("…", "");
    expect([peer, ids.filter((other) => other.endsWith(short))]).toEqual([peer, [peer]]);
  }
});

it("from line to line a peer that is alike to one of before has a longer one, and both from then on", () => {
  const names = new PeerNames();
  expect(names.short(id("x7Kq2P"))).toBe("…x7Kq2P");
  expect(names.short(id("bx7Kq2P"))).toBe("…bx7Kq2P");
  expect(names.short(id("x7Kq2P"))).toBe("…ax7Kq2P");
});

it("what is short already stays, and so many are remembered that no memory fills", () => {
  const names = new PeerNames();
  expect(names.short("12D3Koo")).toBe("12D3Koo");
  for (let i = 0; i < 9_000; i++) names.short(id(String(1_000_000 + i)));
  expect(names.short(id("x7Kq2P"))).toBe("…x7Kq2P");
});
