/** Why nobody was reached at an address, in words, out of what libp2p and the operating system say. */

/** A process that stands still has its connections taken by its system, and says nothing on them. */
const NO_PEER = "what answers there is no peer, another one than the address names, or one that stands still";
const DENIED =
  "this peer connects to nobody there: the other one was removed from the network, or the address is out of bounds";

/** By the code of a system error, or by the name of libp2p's. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused, nothing listens there",
  ECONNRESET: "the other side closed the connection at once",
  EHOSTUNREACH: "there is no way to that machine",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "nobody answered in time",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name does not resolve, and the name server did not answer",
  EMFILE: "this process has no file descriptors left",
  UnexpectedPeerError: "another peer than the address names answers there",
  InvalidCryptoExchangeError: NO_PEER,
  EncryptionFailedError: NO_PEER,
  UnexpectedEOFError: "the other side closed the connection at once",
  StreamClosedError: "the other side closed the connection at once",
  NoValidAddressesError: "no address in it can be dialled from here",
  DialDeniedError: DENIED,
  ConnectionDeniedError: DENIED,
  AbortError: "nobody answered in time",
  TimeoutError: "nobody answered in time",
};

/** Levels of causes that are looked through. */
const DEPTH_MAX = 8;

/** One clause.  error: as a dial threw it, with causes and several errors below it. */
export function dialReason(error: unknown): string {
  const all = errorsIn(error, DEPTH_MAX);
  for (const one of all) {
    if (/Payload identity key .* does not match/.test(one.message)) return REASONS.UnexpectedPeerError ?? one.message;
  }
  for (const one of all) {
    const code = "code" in one && typeof one.code === "string" ? one.code : one.name;
    const reason = REASONS[code] ?? REASONS[one.name];
    if (reason !== undefined) return reason;
  }
  // Names that libp2p cannot look up come as a text alone.
  const said = all.find(({ message }) => message !== "")?.message ?? String(error);
  return said.split("\n", 1)[0] ?? said;
}

/** The error itself and what is below it, the innermost first: it says the most. */
function errorsIn(error: unknown, depth: number): readonly Error[] {
  if (!(error instanceof Error) || depth === 0) return [];
  const below = error instanceof AggregateError ? error.errors : [];
  return [...[error.cause, ...below].flatMap((one) => errorsIn(one, depth - 1)), error];
}
