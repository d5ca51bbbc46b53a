import { describe, expect, it } from "vitest";
import { type AddressOrigin, createAddressBook } from "./address-book.ts";

const limits = { addressesMax: 4, heardMax: 2, pauseMinMs: 500 };

describe("the address book", () => {
  const rows: readonly [what: string, noted: readonly (readonly [string, AddressOrigin])[], kept: readonly string[]][] =
    [
      ["nothing", [], []],
      [
        "what was met, up to its size, the newest",
        [
          ["a", "met"],
          ["b", "met"],
          ["c", "met"],
          ["d", "met"],
          ["e", "met"],
        ],
        ["b", "c", "d", "e"],
      ],
      [
        "what was heard, up to its share",
        [
          ["a", "heard"],
          ["b", "heard"],
          ["c", "heard"],
        ],
        ["b", "c"],
      ],
      [
        "what was met before what was heard",
        [
          ["a", "met"],
          ["b", "heard"],
          ["c", "met"],
          ["d", "met"],
          ["e", "met"],
        ],
        ["a", "c", "d", "e"],
      ],
      [
        "nothing heard in a book full of neighbours",
        [
          ["a", "met"],
          ["b", "met"],
          ["c", "met"],
          ["d", "met"],
          ["e", "heard"],
        ],
        ["a", "b", "c", "d"],
      ],
      [
        "what was given, always",
        [
          ["a", "given"],
          ["b", "given"],
          ["c", "met"],
          ["d", "met"],
          ["e", "met"],
          ["f", "heard"],
        ],
        ["a", "b", "d", "e"],
      ],
      [
        "what was heard and then met, as met",
        [
          ["a", "heard"],
          ["a", "met"],
          ["b", "heard"],
          ["c", "heard"],
          ["d", "heard"],
        ],
        ["a", "c", "d"],
      ],
      [
        "what was met, though it is heard again",
        [
          ["a", "met"],
          ["a", "heard"],
          ["b", "heard"],
          ["c", "heard"],
          ["d", "heard"],
        ],
        ["a", "c", "d"],
      ],
    ];
  it.each(rows)("keeps %s", (_, noted, kept) => {
    const book = createAddressBook(limits);
    const forgotten = noted.flatMap(([address, origin]) => book.note(address, origin));
    expect(book.addresses()).toEqual(kept);
    expect([...forgotten, ...kept].sort()).toEqual([...new Set(noted.map(([address]) => address))].sort());
  });

  it("has whoever tells most, and the host with most addresses, make room for others", () => {
    const heard = createAddressBook(limits);
    heard.note("a", "heard", "one");
    for (const address of ["b", "c", "d"]) heard.note(address, "heard", "two");
    expect(heard.addresses()).toEqual(["a", "d"]);
    const met = createAddressBook(limits);
    met.note("/ip4/192.0.2.1/tcp/1", "met");
    for (const port of [1, 2, 3, 4, 5]) met.note(`/ip4/192.0.2.2/tcp/${port}`, "met");
    expect(met.addresses().map((address) => address.split("/")[2])).toEqual([
      "192.0.2.1",
      ...Array(3).fill("192.0.2.2"),
    ]);
  });
});
