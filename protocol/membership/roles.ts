/** The rights of each role. A closed table: a peer that is not in the roster has no role, and no right. */
import type { MessageKind } from "../envelope.ts";

/** The role of a member, which says what it may do. */
export type Role = "trainer" | "observer" | "relay" | "admin";

/** Number of each role on the wire. */
export const ROLE_NUMBERS: Readonly<Record<Role, number>> = { trainer: 1, observer: 2, relay: 3, admin: 4 };

/** All roles. */
export const ROLES = Object.keys(ROLE_NUMBERS) as readonly Role[];

/** Fewer rights first: of two concurrent grants the one that stands earlier in this list wins (README 10.5). */
export const ROLES_BY_RIGHTS: readonly Role[] = ["relay", "observer", "trainer", "admin"];

interface Rights {
  readonly sends: boolean;
  readonly fetches: boolean;
  readonly forwards: boolean;
  readonly governs: boolean;
}

const RIGHTS: Readonly<Record<Role, Rights>> = {
  trainer: { sends: true, fetches: true, forwards: true, governs: false },
  observer: { sends: false, fetches: true, forwards: true, governs: false },
  relay: { sends: false, fetches: false, forwards: true, governs: false },
  admin: { sends: true, fetches: true, forwards: true, governs: true },
};

/** Whether a member of this role may be the author of such a message; undefined (no member) may not. */
export function maySend(role: Role | undefined, kind: MessageKind): boolean {
  switch (kind) {
    case "update":
    case "announcement":
    case "sketch":
      return role !== undefined && RIGHTS[role].sends;
  }
}

/** Whether updates are served to a member of this role. */
export function mayFetch(role: Role | undefined): boolean {
  return role !== undefined && RIGHTS[role].fetches;
}

/** Whether messages of others are looked at when a member of this role passes them on. */
export function mayForward(role: Role | undefined): boolean {
  return role !== undefined && RIGHTS[role].forwards;
}

/** Whether a signature of this role counts in the roster. */
export function mayGovern(role: Role | undefined): boolean {
  return role !== undefined && RIGHTS[role].governs;
}

/** The role of a number on the wire; undefined when there is none. */
export const roleOfNumber = (number: number): Role | undefined => ROLES.find((role) => ROLE_NUMBERS[role] === number);
