/** `weft members policy`: other rules for the roster. */

import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import { POLICY_OPTIONS, type PolicyOptions, raisedThresholdWarning } from "../../membership-options.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ALONE, ROSTER_OPTIONS, WITHOUT_QUORUM } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft members policy`, and what it runs. */
export const policyMembersCommand: CommandRow = {
  name: ["members", "policy"],
  text: "Propose another policy. A setting that no flag names stays as it is.",
  options: [
    ...POLICY_OPTIONS.map((row) => ({ ...row, otherwise: "as it is" })),
    WITHOUT_QUORUM,
    ALONE,
    ...ROSTER_OPTIONS,
  ],
  example: "weft members policy --threshold 3 --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(options: RosterFlags & PolicyOptions, terminal: Terminal): Promise<number> {
  const { decide, membersOf, operatorOf } = await import("../../roster-action.ts");
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
  const code = await decide(operator, { kind: "propose", statement }, options, terminal);
  const warning = raisedThresholdWarning(policy.threshold, statement.policy.threshold);
  if (code === EXIT_OK && warning !== undefined) terminal.err(`warning: ${warning}\n`);
  return code;
}
