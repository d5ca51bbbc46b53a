/**
 * Errors of the protocol: a closed code, one line for the person (what, where, what to do), and the facts.
 * Code never matches on the text.
 */
export const PROTOCOL_ERROR_CODES = [
  "BASE_UNKNOWN",
  "CONTENT_ID_INVALID",
  "ENCODING_UNKNOWN",
  "FIELD_INVALID",
  "GENESIS_INVALID",
  "INVITE_INVALID",
  "KEY_INVALID",
  "MALFORMED",
  "MANIFEST_INVALID",
  "NETWORK_ID_INVALID",
  "NOT_CANONICAL",
  "PAYLOAD_INVALID",
  "PAYLOAD_LENGTH",
  "PEER_ID_INVALID",
  "SIGNATURE_INVALID",
  "TOO_LARGE",
  "VALUE_NOT_FINITE",
  "WRONG_KIND",
] as const;

/** One of these codes. */
export type ProtocolErrorCode = (typeof PROTOCOL_ERROR_CODES)[number];

/** A refusal of bytes or settings by the protocol's rules. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;
  /** What it is about, by name. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: ProtocolErrorCode,
    text: string,
    facts: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(text, options);
    this.name = "ProtocolError";
    this.code = code;
    this.facts = facts;
  }
}
