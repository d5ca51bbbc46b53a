/** `weft members policy`: other rules for the roster. */
import type { PolicyOptions } from "../../membership-options.ts";
import { decide, membersOf, operatorOf, type RosterFlags } from "../../roster-action.ts";
import type { Terminal } from "../../terminal.ts";

export async function run(options: RosterFlags & PolicyOptions, terminal: Terminal): Promise<number> {
  const operator = await operatorOf(options, terminal);
  const { policy } = await membersOf(operator);
  const statement = {
    kind: "policy",
    policy: {
      threshold: options.threshold ?? policy.threshold,
      approval: options.approval ?? policy.approval,
      earlierUpdates: options.earlierUpdates ?? policy.earlierUpdates,
      equivocation: options.equivocation ?? policy.equivocation,
      certificateSeconds: options.membershipLasts ?? policy.certificateSeconds,
    },
  } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
