/** The bench of devices in its short form: all of it that a processor, and WebGPU in software, can run (`npm run test:long`). */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

it("runs golden steps and timed steps on the processor, and says of every other provider what it found", {
  timeout: 300_000,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  try {
    const file = join(folder, "found.json");
    const words = [join(import.meta.dirname, "device.ts"), "--short", "--json", file, "--minutes", "4"];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("| tiny | cpu | weft |");
    const { golden, speed } = JSON.parse(readFileSync(file, "utf8"));
    expect(golden.map(({ provider }: { provider: string }) => provider)).toEqual([
      "cpu",
      "webgpu",
      "cuda",
      "coreml",
      "dml",
    ]);
    for (const { why, lora, loreft } of golden) {
      if (why === undefined) expect(Math.max(lora, loreft)).toBeLessThan(1e-3);
      else expect(why).not.toBe("");
    }
    expect(speed[0].tokensPerSecond).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
