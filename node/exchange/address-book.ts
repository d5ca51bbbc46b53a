/** The addresses that a peer may dial, with the origin of each; bounded, and hearsay is forgotten first. */

/** Given: a bootstrap address. Met: of a peer that was admitted once. Heard: a neighbour told it of another peer. */
export type AddressOrigin = "given" | "met" | "heard";

/** The knowledge of one address. */
export interface BookEntry {
  readonly origin: AddressOrigin;
  /** The pause after the next failure. */
  pauseMs: number;
  /** Failures since it was noted. */
  failures: number;
}

/** Addresses in the order of noting, within bounds. */
export interface AddressBook {
  get(address: string): BookEntry | undefined;
  /** In the order of noting, newest last. */
  addresses(): readonly string[];
  /** Note an address, or that it was met; returns the addresses forgotten for it. An address that was met stays met. */
  note(address: string, origin: AddressOrigin): readonly string[];
  forget(address: string): void;
}

/** Bounds of a book, and the pause that an entry begins with. */
export interface AddressBookLimits {
  /** Addresses in all; those that were given count, and are never forgotten. */
  readonly addressesMax: number;
  /** Among them those that were only heard of. */
  readonly heardMax: number;
  readonly pauseMinMs: number;
}

/** An empty book. */
export function createAddressBook({ addressesMax, heardMax, pauseMinMs }: AddressBookLimits): AddressBook {
  const entries = new Map<string, BookEntry>();
  const of = (origin: AddressOrigin): readonly string[] =>
    [...entries].filter(([, entry]) => entry.origin === origin).map(([address]) => address);
  const surplus = (): readonly string[] => {
    const heard = of("heard");
    const heardSurplus = Math.min(heard.length, Math.max(heard.length - heardMax, entries.size - addressesMax, 0));
    const metSurplus = Math.max(0, entries.size - heardSurplus - addressesMax);
    return [...heard.slice(0, heardSurplus), ...of("met").slice(0, metSurplus)];
  };
  return {
    get: (address) => entries.get(address),
    addresses: () => [...entries.keys()],
    note(address, origin) {
      const known = entries.get(address);
      if (known !== undefined && (known.origin !== "heard" || origin === "heard")) return [];
      entries.delete(address);
      entries.set(address, { origin, pauseMs: pauseMinMs, failures: 0 });
      const forgotten = surplus();
      for (const one of forgotten) entries.delete(one);
      return forgotten;
    },
    forget: (address) => void entries.delete(address),
  };
}
