/**
 * Spans by OTLP over HTTP with JSON.
 * Source: OpenTelemetry protocol 1.x, opentelemetry/proto/trace/v1/trace.proto; numbers of 64 bits are text in JSON.
 */
import { randomBytes } from "node:crypto";
import type { Logger } from "../../interface/logger.ts";
import type { Span, SpanAttributes, SpanSender, TraceTarget } from "../../interface/tracing.ts";

/** How long spans wait for company, and an answer may take. Units: milliseconds. */
const [SEND_AFTER_MS, ANSWER_MS] = [2_000, 10_000];
/** Spans that wait for a collector that does not answer; older ones are given up. */
export const WAITING_SPANS_MAX = 4_096;
/** SPAN_KIND_INTERNAL. */
const INTERNAL = 1;

/** A name for a span that nobody else needs to know. */
export const randomSpanId = (): string => randomBytes(8).toString("hex");

/** Who sends. */
export interface Sender {
  /** Names the peer. */
  readonly instance: string;
  readonly logger: Logger;
}

/** A sender to one collector. */
export function createOtlpSender(target: TraceTarget, about: Sender): SpanSender {
  return new OtlpSender(target, about);
}

class OtlpSender implements SpanSender {
  readonly #target: TraceTarget;
  readonly #about: Sender;
  #waiting: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(target: TraceTarget, about: Sender) {
    this.#target = target;
    this.#about = about;
  }

  send(spans: readonly Span[]): void {
    this.#waiting = [...this.#waiting, ...spans].slice(-WAITING_SPANS_MAX);
    this.#timer ??= setTimeout(() => this.#flush(), SEND_AFTER_MS).unref();
  }

  async close(): Promise<void> {
    this.#flush();
    await this.#sending;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending = this.#sending.then(() => this.#post());
  }

  async #post(): Promise<void> {
    const spans = this.#waiting;
    if (spans.length === 0) return;
    this.#waiting = [];
    const { logger } = this.#about;
    try {
      const { ok, status } = await fetch(this.#target.url, {
        method: "POST",
        headers: { ...this.#target.headers, "content-type": "application/json" },
        body: JSON.stringify(this.#document(spans)),
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!ok) throw new Error(`it answers ${status}`);
      this.#hasFailed = false;
    } catch (error) {
      this.#waiting = [...spans, ...this.#waiting].slice(-WAITING_SPANS_MAX);
      // Said once until it goes on: the peer is as well without.
      if (!this.#hasFailed) logger.warn("the collector of traces takes nothing", { url: this.#target.url, error });
      this.#hasFailed = true;
    }
  }

  #document(spans: readonly Span[]): object {
    const { service, version } = this.#target;
    const resource = {
      "service.name": service,
      "service.version": version,
      "service.instance.id": this.#about.instance,
    };
    return {
      resourceSpans: [
        {
          resource: { attributes: attributesOf(resource) },
          scopeSpans: [{ scope: { name: "weft", version }, spans: spans.map(spanOf) }],
        },
      ],
    };
  }
}

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

function spanOf({ traceId, spanId, parentId, name, startMs, endMs, attributes, events, links }: Span): object {
  return {
    ...{ traceId, spanId, name, kind: INTERNAL },
    ...(parentId !== undefined && { parentSpanId: parentId }),
    ...{ startTimeUnixNano: nanoseconds(startMs), endTimeUnixNano: nanoseconds(endMs) },
    attributes: attributesOf(attributes),
    events: events.map((event) => ({
      ...{ name: event.name, timeUnixNano: nanoseconds(event.atMs), attributes: attributesOf(event.attributes) },
    })),
    links: links.map((link) => ({ ...link, attributes: attributesOf(link.attributes) })),
  };
}

function attributesOf(attributes: SpanAttributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  return Number.isFinite(value) ? { doubleValue: value } : { stringValue: String(value) };
}
