import { describe, expect, it } from "vitest";
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { looksLike, membersMeant } from "./look-alikes.ts";

describe("labels that can be taken for each other", () => {
  it.each([
    ["hospital 4", "Hospital-4"],
    ["hospital 4", "hospital  4 "],
    ["hospital 4", "hosp.ital_4"],
    ["hospital 4", "hosp|tal 4"],
    ["Clinic", "C1inic"],
    ["Ilm", "llrn"],
    ["site 10", "site lO"],
    ["ward 5", "ward S"],
    ["ward 2", "Ward Z"],
    ["lab 8", "LAB B"],
    ["wien", "vvien"],
    ["dresden", "clresden"],
    ["!?", "!? "],
  ])("%j and %j", (one, other) => {
    expect([looksLike(one, other), looksLike(other, one)]).toEqual([true, true]);
  });

  it.each([
    ["hospital 4", "hospital 5"],
    ["hospital 4", "hospital 44"],
    ["clinic a", "clinic b"],
    ["site 6", "site 8"],
    ["!?", "?!"],
    ["a", ""],
  ])("but not %j and %j", (one, other) => {
    expect([looksLike(one, other), looksLike(other, one)]).toEqual([false, false]);
  });
});

describe("who is meant by a name", () => {
  const [a, b, c] = [1, 2, 3].map((seed) => signerOf(seed).peer) as [PeerId, PeerId, PeerId];
  const members = [{ peer: a, label: "munich" }, { peer: b, label: "heidelberg" }, { peer: c }];

  it("is who has the label, or the end of the id, which it did not choose", () => {
    expect(membersMeant(members, "munich")).toEqual({ kind: "one", peer: a, by: "label" });
    for (const text of [c.slice(-4), `…${c.slice(-6)}`, `...${c.slice(-6)}`, c.slice(-20)]) {
      expect(membersMeant(members, text)).toEqual({ kind: "one", peer: c, by: "ending" });
    }
  });

  it("is nobody by nothing, by a label that only looks like that of a member, or by three characters of an id", () => {
    const empty = [...members, { peer: signerOf(4).peer, label: "" }, { peer: signerOf(5).peer, label: " " }];
    for (const text of ["", " ", "…", "...", "berlin", "mun1ch", "Munich", a.slice(-3)]) {
      expect(membersMeant(empty, text)).toEqual({ kind: "nobody" });
    }
  });

  it("is not decided where another member has the same label, one that looks like it, or the end of the other's id for a label", () => {
    const hostile = signerOf(9).peer;
    for (const label of ["munich", "Munich", "mun1ch", "munich ", "rnunich"]) {
      expect(membersMeant([...members, { peer: hostile, label }], "munich")).toEqual({
        kind: "several",
        peers: [a, hostile],
      });
    }
    for (const text of [c.slice(-5), `…${c.slice(-5)}`]) {
      expect(membersMeant([...members, { peer: hostile, label: text }], text)).toEqual({
        kind: "several",
        peers: [c, hostile],
      });
    }
  });
});
