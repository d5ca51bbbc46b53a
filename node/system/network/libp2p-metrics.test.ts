import { describe, expect, it } from "vitest";
import { LABEL_VALUES_MAX, Libp2pFigures } from "./libp2p-metrics.ts";

describe("what libp2p measures of itself", () => {
  it("is written under its names, alone and by a label", async () => {
    const figures = new Libp2pFigures();
    figures.register.registerMetric("libp2p_dial_queue", { help: "dials that wait" }).update(3);
    figures.register.registerCounter("noise:errors").increment();
    const dials = figures.register.registerCounterGroup("libp2p_dials_total", { label: "result" });
    dials.increment({ failure: true, success: 2 });
    figures.register.registerHistogramGroup("libp2p_sizes", { label: "kind", buckets: [1, 2] }).observe({ sent: 1.5 });
    figures.register.registerSummary("libp2p_times").observe(0.5);
    const text = await figures.text();
    for (const line of [
      "# HELP libp2p_dial_queue dials that wait",
      "libp2p_dial_queue 3",
      "libp2p_noise_errors 1",
      'libp2p_dials_total{result="failure"} 1',
      'libp2p_dials_total{result="success"} 2',
      'libp2p_sizes_bucket{le="2",kind="sent"} 1',
      "libp2p_times_sum 0.5",
    ])
      expect(text.split("\n")).toContain(line);
  });

  it("is asked for when somebody looks, of all who registered it", async () => {
    const figures = new Libp2pFigures();
    for (const listener of [1, 2]) {
      const calculate = (): Record<string, number> => ({ [`listener ${listener}`]: listener });
      figures.register.registerMetricGroup("libp2p_inbound", { label: "address", calculate });
    }
    figures.register.registerMetric("libp2p_size", { calculate: async () => 7 });
    for (let i = 0; i < 2; i++) {
      const text = await figures.text();
      expect(text).toContain('libp2p_inbound{address="listener 1"} 1\n');
      expect(text).toContain('libp2p_inbound{address="listener 2"} 2\n');
      expect(text).toContain("libp2p_size 7\n");
    }
  });

  it("keeps so many values of a label apart, whatever comes", async () => {
    const figures = new Libp2pFigures();
    const errors = figures.register.registerCounterGroup("libp2p_errors_total", { label: "error" });
    for (let i = 0; i < 10 * LABEL_VALUES_MAX; i++) errors.increment({ [`made up ${i}`]: true });
    const lines = (await figures.text()).split("\n").filter((line) => line.startsWith("libp2p_errors_total{"));
    expect(lines).toHaveLength(LABEL_VALUES_MAX + 1);
    expect(lines).toContain(`libp2p_errors_total{error="other"} ${9 * LABEL_VALUES_MAX}`);
  });

  it("is each node's own", async () => {
    const [one, other] = [new Libp2pFigures(), new Libp2pFigures()];
    one.register.registerCounter("libp2p_dials").increment(5);
    other.register.registerCounter("libp2p_dials").increment();
    expect(await one.text()).toContain("libp2p_dials 5\n");
    expect(await other.text()).toContain("libp2p_dials 1\n");
  });
});
