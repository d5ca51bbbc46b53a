/** Figures in the text format of Prometheus, with those of the process and its event loop. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MetricRow, MetricsPage } from "../../interface/metrics.ts";

/** A page with these figures. A figure of another kind than the call is for is a programmer's error and throws. */
export function createMetricsPage(rows: readonly MetricRow[]): MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const figures = new Map(rows.map((row) => [row.name, figureOf(row, registry)]));
  const find = <Kind extends Figure>(name: string, kind: new (...given: never[]) => Kind): Kind => {
    const figure = figures.get(name);
    if (figure instanceof kind) return figure;
    throw new TypeError(`${name} is no figure of this kind`);
  };
  return {
    contentType: registry.contentType,
    add: (name, by, labels = {}) => find(name, Counter).inc(labels, by),
    set: (name, value, labels = {}) => {
      const figure = figures.get(name);
      if (figure instanceof Gauge) return figure.set(labels, value);
      const counter = find(name, Counter);
      counter.remove(labels);
      counter.inc(labels, value);
    },
    observe: (name, value, labels = {}) => find(name, Histogram).observe(labels, value),
    clear: (name) => figures.get(name)?.reset(),
    text: () => registry.metrics(),
  };
}

type Figure = Counter<string> | Gauge<string> | Histogram<string>;

function figureOf({ name, kind, text: help, labels, buckets }: MetricRow, registry: Registry): Figure {
  const settings = { name, help, labelNames: [...(labels ?? [])], registers: [registry] };
  switch (kind) {
    case "counter":
      return new Counter(settings);
    case "gauge":
      return new Gauge(settings);
    case "histogram":
      return new Histogram({ ...settings, ...(buckets && { buckets: [...buckets] }) });
  }
}
