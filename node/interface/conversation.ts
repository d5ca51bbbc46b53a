/** One stream protocol as one peer speaks it. */
import type { StreamProtocol } from "../../protocol/stream-protocols.ts";

/** What is said over one protocol, asked and answered; it is given the `Neighbours` with which it is held. */
export interface Conversation {
  readonly protocol: StreamProtocol;
  /** Answer from now on, and ask when there is a reason to; before the transport starts. Called once. */
  start(): Promise<void>;
  /** Ask nobody any more, and wait for nothing; idempotent. Streams under way end with the transport. */
  stop(): Promise<void>;
}
