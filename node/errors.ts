/**
 * Operating errors of a peer: a closed code, one line for the person (what, and where), and the facts.
 * Code never matches on the text; the command line prints it with what to do, and exits with 2.
 */
export const NODE_ERROR_CODES = [
  "ADAPTER_FILE",
  "ADAPTER_FORMAT",
  "ADAPTER_SETTINGS",
  "ADAPTER_SHAPE",
  "BLOB_BUSY",
  "BLOB_CUT",
  "BLOB_HASH",
  "BLOB_LENGTH",
  "BLOB_MISSING",
  "CHECKPOINT_CORRUPT",
  "CONFIG_INVALID",
  "DATA_DIRECTORY",
  "DATA_FORMAT",
  "DATA_LOCKED",
  "DATA_MISMATCH",
  "DATA_TOO_SMALL",
  "DEVICE_UNAVAILABLE",
  "DIAL_FAILED",
  "DISK_FULL",
  "EGRESS_LEDGER",
  "FRAME_INVALID",
  "GRADIENT_RULE_MISSING",
  "IDENTITY_IN_USE",
  "KEY_FILE",
  "LISTEN_FAILED",
  "MANIFEST_INVALID",
  "MANIFEST_MISMATCH",
  "MODEL_CONFIG",
  "MODEL_MISMATCH",
  "MODEL_MISSING",
  "MEMBERSHIP_ENDED",
  "NOT_ADMITTED",
  "NOT_ALLOWED",
  "ONNX_INVALID",
  "PEER_FAILED",
  "PORT_IN_USE",
  "PRIVACY_BUDGET",
  "RUNTIME_MODEL",
  "SAFETENSORS_INVALID",
  "STORE_FAILED",
  "STREAM_FAILED",
  "TIMEOUT",
  "TOKENIZER_MISSING",
  "TOO_OFTEN",
  "TORCH_FILE_INVALID",
  "TRAINING_DIVERGED",
] as const;

/** One of NODE_ERROR_CODES. */
export type NodeErrorCode = (typeof NODE_ERROR_CODES)[number];

/**
 * What exactly is wrong, where a code alone does not say what can be done about it: the fact `problem` of an error or of a
 * doctor's finding. A program that has commands names the way out of each (`cli/remedies.ts`); here nothing knows a flag.
 */
export const PROBLEMS = [
  "act-outdated",
  "act-waits",
  "admin-place-shut",
  "admin-port-taken",
  "another-base",
  "another-charset",
  "another-data",
  "another-model",
  "another-network",
  "another-rounding",
  "another-template",
  "another-version",
  "backup-shut",
  "base-elsewhere",
  "budget-kept",
  "budget-missing",
  "budget-not-counted",
  "budget-of-another-mode",
  "clock-ahead",
  "clock-behind",
  "columns-unnamed",
  "copy-in-use",
  "data-not-given",
  "device-missing",
  "earlier-run",
  "ends-earlier",
  "folder-not-empty",
  "genesis-missing",
  "head-untrained",
  "in-use",
  "int8-elsewhere",
  "invite-without-address",
  "key-barred",
  "key-lost",
  "key-missing",
  "key-there-already",
  "lora-part-only",
  "manifest-missing",
  "manifest-of-another-program",
  "member-already",
  "memory-short",
  "motion-unknown",
  "network-not-given",
  "network-not-named",
  "no-adapter-of-weft",
  "no-backup",
  "no-checkpoint",
  "no-member",
  "no-swarm",
  "not-reachable",
  "nothing-made-yet",
  "peers-unknown",
  "page-port-taken",
  "old-files",
  "passphrase-unfit",
  "peft-form-only",
  "positions-known",
  "positions-of-two",
  "positions-unsaid",
  "precision-missing",
  "precision-of-kind",
  "pyreft-form-only",
  "quorum-ends",
  "reft-part-only",
  "relay-without-role",
  "report-unwritable",
  "role-differs",
  "rows-too-few",
  "signatures-missing",
  "store-damaged",
  "stranger",
  "successions-used-up",
  "swarm-left",
  "swarm-there",
  "template-refuses",
  "training-changed",
  "weights-beside",
] as const;

/** One of PROBLEMS. */
export type Problem = (typeof PROBLEMS)[number];

/** What an error is about, by name. */
export type ErrorFacts = Readonly<Record<string, unknown>> & { readonly problem?: Problem };

/** An operating error of a peer: something that its operator can do something about. */
export class NodeError extends Error {
  readonly code: NodeErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: NodeErrorCode, text: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(text, options);
    this.name = "NodeError";
    this.code = code;
    this.facts = facts;
  }
}
