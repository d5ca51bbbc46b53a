/** Train an adapter of a kind that is no part of weft; scale-kind.mjs has the kind. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAdapter, train } from "weft-peer";

const kind = new URL("./scale-kind.mjs", import.meta.url);
const adapter = await train({
  data: fileURLToPath(new URL("./tasks.jsonl", import.meta.url)),
  adapter: { module: kind, options: { targets: "q_proj,v_proj,down_proj" } },
  training: { learningRate: 0.05 },
  steps: 40,
});
console.log(
  `${adapter.parameters} values, held-out loss: ${adapter.before.loss.toFixed(3)} -> ${adapter.after?.loss.toFixed(3)}`,
);

const folder = join(mkdtempSync(join(tmpdir(), "weft-own-adapter-")), "scaled");
await adapter.save(folder);
const again = await loadAdapter(folder, { kind });
const { loss } = await again.evaluate({ data: fileURLToPath(new URL("./tasks.jsonl", import.meta.url)) });
console.log(`read back from ${folder}: ${loss.toFixed(3)}`);
