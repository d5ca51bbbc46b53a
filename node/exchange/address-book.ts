/**
 * The addresses that a peer may dial, with the origin of each; bounded, and hearsay is forgotten first. Of hearsay whoever tells
 * most, and of what was met the host that has most addresses, makes room for others: nobody fills the book alone.
 */

/** Given: a bootstrap address. Met: of a peer that was admitted once. Heard: a neighbour told it of another peer. */
export type AddressOrigin = "given" | "met" | "heard";

/** The knowledge of one address. */
export interface BookEntry {
  readonly origin: AddressOrigin;
  /** Of hearsay: who told it; undefined for nobody in particular. */
  readonly teller: string | undefined;
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
  note(address: string, origin: AddressOrigin, teller?: string): readonly string[];
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
  const of = (origin: AddressOrigin): readonly (readonly [string, BookEntry])[] =>
    [...entries].filter(([, entry]) => entry.origin === origin);
  /** The address that goes, if one has to. */
  const spare = (): string | undefined => {
    const heard = of("heard");
    if (heard.length > heardMax) return spareOf(heard, ([, { teller }]) => teller ?? "");
    if (entries.size <= addressesMax) return undefined;
    return spareOf(heard, ([, { teller }]) => teller ?? "") ?? spareOf(of("met"), ([address]) => hostOf(address));
  };
  return {
    get: (address) => entries.get(address),
    addresses: () => [...entries.keys()],
    note(address, origin, teller) {
      const known = entries.get(address);
      if (known !== undefined && (known.origin !== "heard" || origin === "heard")) return [];
      entries.delete(address);
      entries.set(address, { origin, teller, pauseMs: pauseMinMs, failures: 0 });
      const forgotten: string[] = [];
      for (let one = spare(); one !== undefined; one = spare()) {
        entries.delete(one);
        forgotten.push(one);
      }
      return forgotten;
    },
    forget: (address) => void entries.delete(address),
  };
}

/** The oldest of the largest group; of groups of one size that with the oldest member. */
function spareOf(
  noted: readonly (readonly [string, BookEntry])[],
  groupOf: (one: readonly [string, BookEntry]) => string,
): string | undefined {
  const groups = new Map<string, string[]>();
  for (const one of noted) {
    const group = groups.get(groupOf(one)) ?? [];
    groups.set(groupOf(one), group);
    group.push(one[0]);
  }
  const most = Math.max(0, ...[...groups.values()].map((group) => group.length));
  return [...groups.values()].find((group) => group.length === most)?.[0];
}

/** The host of a multiaddr; of an IPv6 address its network of 64 bits. */
function hostOf(address: string): string {
  const [, kind, host] = address.split("/");
  return kind === "ip6" ? (host ?? "").split(":").slice(0, 4).join(":") : (host ?? address);
}
