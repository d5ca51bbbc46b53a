/**
 * What libp2p measures of itself, in the text format of Prometheus: connections, dials, streams, listeners, encryption, the
 * table of peers. Its metrics interface over prom-client. libp2p names a figure once for a whole process; here each node has
 * figures of its own, because a process may run several peers.
 */
import type { MetricGroup, Metrics } from "@libp2p/interface";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";

/** Values of one label that are kept apart. What others send could make new ones; later ones are counted as OTHER. */
export const LABEL_VALUES_MAX = 64;
const OTHER = "other";

/** How libp2p registers figures. */
export type FigureRegister = Pick<
  Metrics,
  | `register${"Metric" | "Counter" | "Histogram" | "Summary"}`
  | `register${"Metric" | "Counter" | "Histogram" | "Summary"}Group`
>;

type Values = Partial<Record<string, number | true>>;
type Figure = Gauge<string> | Counter<string> | Histogram<string> | Summary<string>;

interface Options {
  readonly label?: string;
  readonly help?: string;
  readonly buckets?: number[];
  readonly percentiles?: number[];
  readonly calculate?: () => unknown;
}

/** The figures of one node. */
export class Libp2pFigures {
  readonly #registry = new Registry();
  readonly #figures = new Map<string, MeasuredFigure>();
  /** What libp2p is given. */
  readonly register: FigureRegister;

  constructor() {
    const one =
      (kind: FigureKind) =>
      (name: string, options: Options = {}): never =>
        this.#figure(kind, name, options).alone() as never;
    const group =
      (kind: FigureKind) =>
      (name: string, options: Options = {}): never =>
        this.#figure(kind, name, { ...options, label: options.label ?? "name" }).group() as never;
    this.register = {
      registerMetric: one("gauge"),
      registerMetricGroup: group("gauge"),
      registerCounter: one("counter"),
      registerCounterGroup: group("counter"),
      registerHistogram: one("histogram"),
      registerHistogramGroup: group("histogram"),
      registerSummary: one("summary"),
      registerSummaryGroup: group("summary"),
    };
  }

  /** All of them. */
  async text(): Promise<string> {
    for (const figure of this.#figures.values()) await figure.calculate();
    return await this.#registry.metrics();
  }

  /** One that is registered again, as each listener does, is the same. */
  #figure(kind: FigureKind, given: string, options: Options): MeasuredFigure {
    const name = `libp2p_${given.replace(/^libp2p_/, "").replace(/[^a-zA-Z0-9_]/g, "_")}`;
    const known = this.#figures.get(name) ?? new MeasuredFigure(kind, name, options, this.#registry);
    this.#figures.set(name, known);
    known.calculatedBy(options.calculate);
    return known;
  }
}

type FigureKind = "gauge" | "counter" | "histogram" | "summary";

/** A figure as libp2p feeds it: alone, or one for each value of a label. */
class MeasuredFigure {
  readonly #figure: Figure;
  readonly #label: string | undefined;
  readonly #kept = new Set<string>();
  /** Of each who registered it: where what is measured is asked for instead of told. */
  readonly #calculations = new Set<() => unknown>();

  constructor(kind: FigureKind, name: string, { label, help, buckets, percentiles }: Options, registry: Registry) {
    this.#label = label?.replace(/[^a-zA-Z0-9_]/g, "_");
    const settings = {
      ...{ name, help: help ?? name, registers: [registry] },
      labelNames: this.#label === undefined ? [] : [this.#label],
    };
    this.#figure = {
      gauge: () => new Gauge(settings),
      counter: () => new Counter(settings),
      histogram: () => new Histogram({ ...settings, ...(buckets && { buckets }) }),
      summary: () => new Summary({ ...settings, ...(percentiles && { percentiles }) }),
    }[kind]();
  }

  calculatedBy(calculate: (() => unknown) | undefined): void {
    if (calculate !== undefined) this.#calculations.add(calculate);
  }

  /** Ask for what is only measured when somebody looks. */
  async calculate(): Promise<void> {
    if (this.#calculations.size === 0) return;
    this.#figure.reset();
    for (const calculate of this.#calculations) {
      const found = await calculate();
      if (typeof found === "number") this.#add("", found);
      else for (const [value, count] of Object.entries(found ?? {})) this.#add(value, Number(count));
    }
  }

  /** Without a label. */
  alone(): object {
    const timed = this.#timed("");
    return {
      update: (value: number) => this.#set("", value),
      increment: (by = 1) => this.#add("", by),
      decrement: (by = 1) => this.#add("", -by),
      observe: (value: number) => this.#observe("", value),
      reset: () => this.#figure.reset(),
      timer: timed,
    };
  }

  /** By values of a label. */
  group(): MetricGroup & { observe(values: Values): void } {
    const each = (values: Values, act: (value: string, count: number) => void): void => {
      for (const [value, count = 1] of Object.entries(values)) act(value, count === true ? 1 : count);
    };
    return {
      update: (values) => each(values, (value, count) => this.#set(value, count)),
      increment: (values) => each(values, (value, count) => this.#add(value, count)),
      decrement: (values) => each(values, (value, count) => this.#add(value, -count)),
      observe: (values) => each(values, (value, count) => this.#observe(value, count)),
      reset: () => this.#figure.reset(),
      timer: (value) => this.#timed(value)(),
    };
  }

  #labels(value: string): Record<string, string> {
    if (this.#label === undefined) return {};
    const isKept = this.#kept.has(value) || this.#kept.size < LABEL_VALUES_MAX;
    if (isKept) this.#kept.add(value);
    return { [this.#label]: isKept ? value : OTHER };
  }

  #set(value: string, count: number): void {
    if (this.#figure instanceof Gauge) this.#figure.set(this.#labels(value), count);
  }

  #add(value: string, count: number): void {
    if (this.#figure instanceof Gauge) this.#figure.inc(this.#labels(value), count);
    else if (this.#figure instanceof Counter) this.#figure.inc(this.#labels(value), Math.max(0, count));
    else this.#figure.observe(this.#labels(value), count);
  }

  #observe(value: string, count: number): void {
    if (this.#figure instanceof Histogram || this.#figure instanceof Summary)
      this.#figure.observe(this.#labels(value), count);
  }

  /** Seconds from its call to that of what it returns. */
  readonly #timed = (value: string) => (): (() => void) => {
    const began = performance.now();
    return () => {
      const seconds = (performance.now() - began) / 1000;
      if (this.#figure instanceof Gauge) this.#set(value, seconds);
      else this.#observe(value, seconds);
    };
  };
}
