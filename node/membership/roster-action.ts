/** Acts on a roster as they come from another process: plain data that may be anything, until it was looked at. */
import { z } from "zod";
import { REVOKE_REASONS } from "../../protocol/membership/entry.ts";
import { ROLES } from "../../protocol/membership/roles.ts";
import { NodeError } from "../errors.ts";
import type { RosterAction } from "./roster-desk.ts";

/** Longer than any id, digest or key in hexadecimal digits. */
const WORD_CHARACTERS_MAX = 256;
const PATH_CHARACTERS_MAX = 4096;

const word = z.string().min(1).max(WORD_CHARACTERS_MAX);
const hex = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const terms = { subject: word, role: z.enum(ROLES), notBefore: z.number(), notAfter: z.number() };
const isMeant = z.boolean().optional();
const isAlone = z.boolean().optional();

/** What an entry may say; bounds of its numbers are the protocol's business. */
const STATEMENT = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("admit"), ...terms, invite: z.object({ key: hex, uses: z.number() }).optional() }),
  z.object({ kind: z.literal("promote"), ...terms }),
  z.object({ kind: z.literal("expire"), ...terms }),
  z.object({ kind: z.literal("rotate"), ...terms, replaces: word }),
  z.object({ kind: z.literal("revoke"), subject: word, reason: z.enum(REVOKE_REASONS) }),
  z.object({
    kind: z.literal("policy"),
    policy: z.object({
      threshold: z.number(),
      approval: z.enum(["person", "invite"]),
      earlierUpdates: z.enum(["keep", "drop"]),
      equivocation: z.enum(["bar", "report"]),
      certificateSeconds: z.number(),
    }),
  }),
  z.object({ kind: z.literal("succeed"), successor: hex, round: z.number() }),
]);

/** Every act, as `RosterAction` has them. */
export const ROSTER_ACTION = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("members") }),
  z.object({ kind: z.literal("pending"), declined: z.boolean().optional() }),
  z.object({ kind: z.literal("log") }),
  z.object({ kind: z.literal("entries"), from: z.number() }),
  z.object({ kind: z.literal("propose"), statement: STATEMENT, isMeant, isAlone }),
  z.object({ kind: z.literal("approve"), id: word, isMeant }),
  z.object({ kind: z.literal("deny"), id: word }),
  z.object({ kind: z.literal("succeed"), manifest: z.unknown(), isAlone }),
  z.object({
    kind: z.literal("rotate"),
    keyFile: z.string().min(1).max(PATH_CHARACTERS_MAX).describe("a file of this machine, mode 0600"),
    ...{ isMeant, isAlone },
  }),
]);

/** The act that this is.  Throws: NodeError CONFIG_INVALID, one line, where it is none. */
export function checkedRosterAction(value: unknown): RosterAction {
  const { error } = ROSTER_ACTION.safeParse(value);
  if (error === undefined) return value as RosterAction;
  const [issue] = error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "it" : issue.path.join(".");
  throw new NodeError("CONFIG_INVALID", `no act on a roster: ${place}: ${issue?.message ?? "is wrong"}`, { place });
}
