/** One round of a peer as spans of OpenTelemetry, and who is sent them. */

/** Values of attributes. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A span, or one that another peer has in a trace of the same network. */
export interface SpanName {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** Something that took a while. Times in milliseconds since 1970. */
export interface Span extends SpanName {
  readonly parentId?: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly { readonly name: string; readonly atMs: number; readonly attributes: SpanAttributes }[];
  readonly links: readonly (SpanName & { readonly attributes: SpanAttributes })[];
}

/** Where spans are sent, by OTLP over HTTP with JSON. */
export interface TraceTarget {
  /** The whole address, such as http://localhost:4318/v1/traces. */
  readonly url: string;
  /** Sent along, such as an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `service.name` of all spans. */
  readonly service: string;
  /** `service.version` of all spans. */
  readonly version: string;
}

/** Takes spans and sends them when it can; a collector that does not answer holds nothing up. */
export interface SpanSender {
  send(spans: readonly Span[]): void;
  /** Send what is left. Idempotent. */
  close(): Promise<void>;
}
