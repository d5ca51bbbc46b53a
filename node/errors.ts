/**
 * Operating errors of a peer: a closed code, one line for the person (what, where, what to do), and the facts.
 * Code never matches on the text; `cli/main` prints it and exits with 2.
 */
export const NODE_ERROR_CODES = [
  "ADAPTER_FILE",
  "ADAPTER_FORMAT",
  "ADAPTER_SETTINGS",
  "ADAPTER_SHAPE",
  "BLOB_BUSY",
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

export type NodeErrorCode = (typeof NODE_ERROR_CODES)[number];

export class NodeError extends Error {
  readonly code: NodeErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: NodeErrorCode,
    text: string,
    facts: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(text, options);
    this.name = "NodeError";
    this.code = code;
    this.facts = facts;
  }
}
