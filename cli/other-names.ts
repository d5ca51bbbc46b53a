/** Flags as other programs call them, for whoever types one of those. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  rank: 'the rank stands in the adapter: --adapter "lora:r8:q_proj,v_proj"',
  r: 'the rank stands in the adapter: --adapter "lora:r8:q_proj,v_proj"',
  alpha: 'alpha stands in the adapter: --adapter "lora:r8:q_proj,v_proj:alpha16"',
  "lora-alpha": 'alpha stands in the adapter: --adapter "lora:r8:q_proj,v_proj:alpha16"',
  lr: "it is called --learning-rate here",
  "num-epochs": "it is called --epochs here",
  "num-train-epochs": "it is called --epochs here",
  "max-steps": "it is called --steps here",
  "per-device-train-batch-size": "it is called --batch-size here",
  "gradient-accumulation-steps": "it is called --accumulate here",
  "max-length": "it is called --max-tokens here",
  "max-seq-length": "it is called --max-tokens here",
  "max-new-tokens": "it is called --max-tokens here",
  dataset: "it is called --data here",
  "train-file": "it is called --data here",
  "base-model": "it is called --model here; --base is the form in which it is kept",
  "model-path": "it is called --model here",
  "model-name-or-path": "it is called --model here",
  o: "it is called --out here",
  output: "it is called --out here",
  "output-dir": "it is called --out here",
  datadir: "it is called --data-dir here",
  dir: "it is called --data-dir here; a swarm of weft testnet has --dir",
  home: "it is called --data-dir here",
  gpu: "it is --device cuda here, or the name of another device",
  cuda: "it is --device cuda here",
  cpu: "it is --device cpu here",
  verbose: "it is --log-level debug here",
  v: "it is --log-level debug here",
  debug: "it is --log-level debug here",
  q: "it is called --quiet here",
  silent: "it is called --quiet here",
  p: "it is called --port here, and --prompt of weft generate",
  yes: "nothing asks here that would need it; leave it out",
  y: "nothing asks here that would need it; leave it out",
  f: "no command here has it; see weft --help",
};

/** What a flag that weft does not have is called here; undefined where nobody knows.  option: with its dashes. */
export function otherName(option: string | undefined): string | undefined {
  const name = option?.replace(/^-+/, "").replaceAll("_", "-").toLowerCase() ?? "";
  return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined;
}
