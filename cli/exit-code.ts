/** Exit codes of `weft`: what kind of thing went wrong, for scripts and supervisors. */
import { NodeError, type NodeErrorCode, type Problem } from "../node/index.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { EXIT_NETWORK, EXIT_OK, EXIT_POLICY, EXIT_REFUSED, EXIT_RESOURCE } from "./terminal.ts";

/** What the codes mean, in the order of the documentation. */
export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [EXIT_OK, "Done. A peer that SIGTERM stops ends so too, as supervisors expect."],
  [1, "A bug of weft: its stack is printed."],
  [EXIT_REFUSED, "A flag, a file or a setting that cannot be taken as it is."],
  [EXIT_NETWORK, "The network: nobody could be reached, or a connection or an answer did not come."],
  [EXIT_POLICY, "Refused by a rule: the roster, a role, a budget of privacy, a key that is in use elsewhere."],
  [
    EXIT_RESOURCE,
    "The machine: a full disk (also behind standard output), a port or a data directory in use, a limit of the system, a store or a device that does not work.",
  ],
  [
    130,
    "Stopped before it was done, by Ctrl-C, a hang-up or another signal, or because nobody reads its output any more.",
  ],
];

/** Those that are not about input. */
const CODES: Partial<Readonly<Record<NodeErrorCode, number>>> = {
  BLOB_BUSY: EXIT_NETWORK,
  BLOB_HASH: EXIT_NETWORK,
  BLOB_LENGTH: EXIT_NETWORK,
  BLOB_MISSING: EXIT_NETWORK,
  DIAL_FAILED: EXIT_NETWORK,
  STREAM_FAILED: EXIT_NETWORK,
  TIMEOUT: EXIT_NETWORK,
  IDENTITY_IN_USE: EXIT_POLICY,
  MEMBERSHIP_ENDED: EXIT_POLICY,
  NOT_ADMITTED: EXIT_POLICY,
  NOT_ALLOWED: EXIT_POLICY,
  PRIVACY_BUDGET: EXIT_POLICY,
  TOO_OFTEN: EXIT_POLICY,
  DATA_LOCKED: EXIT_RESOURCE,
  DEVICE_UNAVAILABLE: EXIT_RESOURCE,
  DISK_FULL: EXIT_RESOURCE,
  LISTEN_FAILED: EXIT_RESOURCE,
  PORT_IN_USE: EXIT_RESOURCE,
  STORE_FAILED: EXIT_RESOURCE,
};

/** Problems that are about what was typed, whatever rule found them. */
const MISTYPED: readonly unknown[] = [
  "ends-earlier",
  "motion-unknown",
  "no-member",
  "role-differs",
] satisfies Problem[];

/** What the system says where the machine is at its end, whatever file was named. */
const OF_THE_MACHINE: readonly unknown[] = ["EFBIG", "EIO", "EMFILE", "ENFILE"];

/** The exit code of an expected failure. */
export function exitCodeOf(error: NodeError | ProtocolError): number {
  if (OF_THE_MACHINE.includes(error.facts.system)) return EXIT_RESOURCE;
  if (MISTYPED.includes(error.facts.problem)) return EXIT_REFUSED;
  return (error instanceof NodeError ? CODES[error.code] : undefined) ?? EXIT_REFUSED;
}
