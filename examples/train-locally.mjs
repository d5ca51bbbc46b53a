/** Train an adapter on a file of examples, look at what it learnt, and write it for Hugging Face PEFT. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel, NodeError, train } from "weft-peer";

const data = process.argv[2] ?? fileURLToPath(new URL("./tasks.jsonl", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "weft-train-"));

// A directory of a Hugging Face model goes in here; without one it is the small model that comes with weft.
const model = await loadModel();
const targets = ["q_proj", "v_proj"];
try {
  const adapter = await train({
    model,
    data,
    adapter: { kind: "lora", rank: 8, alpha: 16, layers: "all", targets },
    steps: 40,
    onStep: ({ step, steps, loss }) =>
      step % 10 === 0 && console.log(`step ${step} of ${steps}: loss ${loss.toFixed(3)}`),
  });
  // Both are taken on examples that training did not see.
  console.log(`held-out loss: ${adapter.before.loss.toFixed(3)} -> ${adapter.after?.loss.toFixed(3)}`);
  const prompt = "second: big lion long green ->";
  console.log(`${prompt}${await adapter.generate(prompt, { maxTokens: 4 })}`);
  await adapter.save(join(folder, "adapter"));
  await adapter.save(join(folder, "peft"), { format: "peft", baseModel: "my-model" });
  console.log(`written to ${folder}`);
} catch (error) {
  // What fails for a reason outside the program has a code: a file that is not there, settings that do not fit the model.
  if (!(error instanceof NodeError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 2;
}
