/** What an admin interface offers, whatever carries it: answers to questions, and a feed of events. */

/** JSON Schema, draft 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A question as it came; parameters and query are checked against their schemas. */
export interface AdminRequest {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Parsed JSON, unchecked; undefined where the route takes none. */
  readonly body?: unknown;
}

/** One question, or one thing to do. */
export interface AdminRoute {
  readonly method: "GET" | "POST";
  /** Parameters stand in it as `:name`. */
  readonly path: string;
  /** The operation's name in the OpenAPI document. */
  readonly name: string;
  /** One sentence. */
  readonly text: string;
  readonly parameters?: JsonSchema;
  readonly query?: JsonSchema;
  /** Of what is sent along, which `handle` itself holds to the schema; absent where nothing is. */
  readonly body?: { readonly schema: JsonSchema; readonly bytesMax: number };
  readonly answer: JsonSchema;
  /** The kind of an answer that is text; JSON when absent. */
  readonly contentType?: string;
  /** Answered without a token; it says nothing that is anybody's. */
  readonly isOpen?: true;
  /** The answer as plain data.  Throws: NodeError, which is told to who asked. */
  handle(request: AdminRequest): Promise<unknown>;
}

/** An event in a feed. */
export interface FedEvent {
  /** Rising by one from 1 on. */
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
  /** Told apart by its `type`. */
  readonly event: { readonly type: string };
}

/** What has happened, for readers of any speed: it keeps the newest events and waits for nobody. */
export interface EventSource {
  /** Of the newest event; 0 before the first. */
  readonly newest: number;
  /** The event after this number, and how many between the two are kept no more; undefined where there is none yet. */
  after(number: number): { readonly event: FedEvent; readonly lost: number } | undefined;
  /** Call after each event.  Returns what ends that. */
  onAdded(listener: () => void): () => void;
}

/** Where an admin interface listens: at a port of this machine, or at a socket in its file system. */
export type AdminAddress =
  | { readonly kind: "port"; readonly host: "127.0.0.1" | "::1"; readonly port: number }
  | { readonly kind: "socket"; readonly path: string };

/** A file of the page, as it is served. */
export interface PageAsset {
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}
