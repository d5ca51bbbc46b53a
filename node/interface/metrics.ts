/** Figures that a monitoring system collects: what there is of them, described once, and where they are kept. */

/** One figure. Names and units follow Prometheus: base units, `_total` for what only grows. */
export interface MetricRow {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly text: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, rising. */
  readonly buckets?: readonly number[];
}

/** Values of a figure's labels. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Where figures are kept. */
export interface Metrics<Name extends string = string> {
  /** Let a counter grow. */
  add(name: Name, by: number, labels?: MetricLabels): void;
  /** What a gauge shows, or a counter whose total is counted elsewhere. */
  set(name: Name, value: number, labels?: MetricLabels): void;
  /** One observation of a histogram. */
  observe(name: Name, value: number, labels?: MetricLabels): void;
  /** Forget all values of a figure. */
  clear(name: Name): void;
}

/** What can be written out for a monitoring system. */
export interface MetricsPage extends Metrics {
  readonly contentType: string;
  /** All figures in the text format of Prometheus, those of the process included. */
  text(): Promise<string>;
}

/** What of a peer's files is measured. */
export interface FileFigures {
  readonly checkpoints: number;
  /** Of the newest checkpoint, milliseconds since 1970; undefined without one. */
  readonly checkpointAtMs: number | undefined;
  /** Of all files of the peer. */
  readonly bytes: number;
  /** Left on their disk. */
  readonly freeBytes: number;
}
