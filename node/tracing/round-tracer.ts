/**
 * The rounds of one peer as spans: the round, and in it the local steps, publishing (delta, signature, announcement), collecting
 * with a word about each update that was judged, aggregating, and each evaluation. A round links to those of the neighbours
 * whose updates are in its aggregate.
 */
import type { Clock } from "../interface/clock.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { Span, SpanAttributes, SpanSender } from "../interface/tracing.ts";
import type { Trainer } from "../interface/trainer.ts";
import { roundSpanId, traceIdOf } from "./trace-names.ts";

/** What a round holds at most of judged updates; an author sends one a round, and others may send anything. */
export const EVENTS_MAX = 256;

/** What a tracer needs of the peer. */
export interface TracerDependencies {
  readonly sender: Pick<SpanSender, "send">;
  readonly clock: Pick<Clock, "now">;
  /** 8 random bytes as 16 hexadecimal digits. */
  readonly spanId: () => string;
  readonly networkId: string;
  readonly peer: string;
}

/** What is known of the round that goes on. */
interface OpenRound {
  readonly beganMs: number;
  readonly children: Omit<Span, "traceId" | "parentId" | "spanId">[];
  readonly judged: Span["events"][number][];
  publishedMs?: number;
  attributes: SpanAttributes;
  links: Span["links"];
}

/** Turns what a peer does and tells into spans. */
export class RoundTracer {
  readonly #dependencies: TracerDependencies;
  #open: OpenRound;
  #stepsEndedMs: number | undefined;

  constructor(dependencies: TracerDependencies) {
    this.#dependencies = dependencies;
    this.#open = this.#begin();
  }

  /** The same trainer, whose steps and evaluations are spans. */
  traced(trainer: Trainer): Trainer {
    return {
      ...trainer,
      train: async (options) => {
        const result = await this.during("local steps", { "weft.steps": options.steps }, () => trainer.train(options));
        this.#stepsEndedMs = this.#dependencies.clock.now();
        return result;
      },
      evaluate: (options) => this.during("evaluate", { "weft.set": options.set }, () => trainer.evaluate(options)),
    };
  }

  /** Do work of the round that goes on.  Throws: what the work throws. */
  async during<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>): Promise<T> {
    const { clock } = this.#dependencies;
    const startMs = clock.now();
    // Before the first aggregate everything that came was collected.
    if (name === "aggregate") this.#endCollecting(startMs);
    try {
      return await work();
    } finally {
      this.#open.children.push({ name, startMs, endMs: clock.now(), attributes, events: [], links: [] });
    }
  }

  /** One more event; others than those of rounds change nothing. */
  note(event: PeerEvent): void {
    const now = this.#dependencies.clock.now();
    const { networkId } = this.#dependencies;
    if (event.type === "update" && this.#open.judged.length < EVENTS_MAX) {
      const { from, verdict, code = "", round } = event;
      const attributes = {
        "weft.peer": from,
        "weft.verdict": verdict,
        "weft.reason": code,
        "weft.update.round": round,
      };
      this.#open.judged.push({ name: "update judged", atMs: now, attributes });
    }
    if (event.type === "published") {
      const { bytes } = event;
      const attributes = { "weft.update.bytes": bytes };
      const startMs = this.#stepsEndedMs ?? now;
      this.#open.children.push({ name: "publish", startMs, endMs: now, attributes, events: [], links: [] });
      this.#open.publishedMs = now;
    }
    if (event.type === "mixed") {
      this.#open.links = event.neighbours.map(({ peer, staleness, weight }) => {
        const theirs = Math.max(0, event.round - staleness);
        const name = { traceId: traceIdOf(networkId, theirs), spanId: roundSpanId(networkId, theirs, peer) };
        return { ...name, attributes: { "weft.peer": peer, "weft.weight": weight, "weft.staleness": staleness } };
      });
    }
    if (event.type === "round") {
      const { round, lambda, neighbours, validationLoss, trainLoss, bytes } = event.summary;
      this.#open.attributes = {
        ...{ "weft.lambda": lambda, "weft.neighbours": neighbours },
        ...{ "weft.loss.train": trainLoss, "weft.loss.validation": validationLoss },
        ...{ "weft.bytes.sent": bytes.sent, "weft.bytes.received": bytes.received },
      };
      this.#end(round, now);
    }
  }

  #endCollecting(now: number): void {
    const { publishedMs, children } = this.#open;
    if (publishedMs === undefined || children.some(({ name }) => name === "collect")) return;
    const events = this.#open.judged.filter(({ atMs }) => atMs >= publishedMs);
    children.push({ name: "collect", startMs: publishedMs, endMs: now, attributes: {}, events, links: [] });
  }

  #begin(): OpenRound {
    return { beganMs: this.#dependencies.clock.now(), children: [], judged: [], attributes: {}, links: [] };
  }

  #end(round: number, now: number): void {
    const { sender, spanId, networkId, peer } = this.#dependencies;
    const { beganMs, children, judged, attributes, links } = this.#open;
    const traceId = traceIdOf(networkId, round);
    const own = roundSpanId(networkId, round, peer);
    const known = { "weft.network": networkId, "weft.peer": peer, "weft.round": round };
    sender.send([
      {
        ...{ traceId, spanId: own, name: `round ${round}`, startMs: beganMs, endMs: now },
        ...{ attributes: { ...known, ...attributes }, events: judged, links },
      },
      ...children.map((child) => ({ ...child, traceId, spanId: spanId(), parentId: own })),
    ]);
    this.#open = this.#begin();
    this.#stepsEndedMs = undefined;
  }
}
