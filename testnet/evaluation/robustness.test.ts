import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { loadBaseModel } from "../../node/model/huggingface.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { readModelFiles } from "../../node/system/files/model-files.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";
import { AGGREGATION_RULES } from "../../protocol/settings/aggregation-rules.ts";
import { ATTACKS } from "./attack.ts";
import type { Cell, CellResult } from "./cell.ts";
import { materialOf } from "./material.ts";
import { attackFigures, isHeld } from "./robustness.ts";
import { robustnessPage } from "./robustness-page.ts";
import { ATTACK_ORDER, robustnessTable, TRIED_KINDS, TRIED_RULES } from "./robustness-table.ts";
import { cellsOf } from "./run-table.ts";
import { withShipped } from "./shipped.ts";

const table = robustnessTable();
const suite = table.suites.find(({ name }) => name === "compared")!;
const methodOf = (name: string) => table.methods.find((one) => one.name === name)!;

describe("the table of attacks", () => {
  test("has every rule, every kind of adapter and every attack that there is", () => {
    expect(new Set(TRIED_RULES.map((word) => word.split(":")[0]))).toEqual(new Set(Object.keys(AGGREGATION_RULES)));
    expect(Object.keys(TRIED_KINDS)).toEqual(Object.keys(ADAPTERS.kinds));
    expect([...ATTACK_ORDER].sort()).toEqual([...ATTACKS].sort());
  });

  test("names only methods that it declares, each once, and nobody alone is lied to", () => {
    const names = table.methods.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const one of table.suites) {
      for (const name of one.methods) expect(names, one.name).toContain(name);
      const alone = cellsOf(one, table).filter(({ method }) => method.exchange === "none");
      expect(new Set(alone.map(({ attack }) => attack))).toEqual(new Set(["none"]));
    }
    const find = (name: string) => table.suites.find((one) => one.name === name)!;
    const liars = ["shipped", "shipped-three", "counts", "most", "thirty"].map((name) => find(name).liars);
    expect(liars).toEqual([[2], [3], [3], [6], [6]]);
    expect(find("shipped").attacks).toEqual(["none", ...ATTACK_ORDER]);
  });
});

test("asks for no more records than the tasks have, however many peers there are", async () => {
  for (const suite of table.suites.filter(({ peers }) => Math.max(...peers) > 10)) {
    const material = await materialOf(suite, { assets: "", base: undefined, threads: 1 }, () => undefined);
    const [peers, split, seed] = [suite.peers[0]!, suite.splits[0]!, suite.seeds[0]!];
    expect(await material!.data({ peers, split, seed })).toHaveLength(peers);
  }
});

/** A cell of ten peers, of whom two lie, with these losses. */
function cellOf(
  name: string,
  attack: Cell["attack"],
  { losses, exits = 0, blamed = 0 }: { losses: readonly number[]; exits?: number; blamed?: number },
): { cell: Cell; result: CellResult } {
  const cell: Cell = {
    ...{ suite, method: methodOf(name), split: { kind: "iid" }, peers: 10, seed: 1, attack },
    ...(attack !== "none" && { liars: 2 }),
    ...{ learningRate: 0.01, tuning: false },
  };
  const score = { accuracy: 0, exactMatch: 0, tokens: 1 };
  const peers = losses.map((loss, i) => ({
    own: { ...score, loss },
    others: { ...score, loss },
    ...{ psiOwn: 0, psiOthers: 0, lambdaMean: 0, refused: 1, hasExited: i < exits },
  }));
  return { cell, result: { peers, blamed, key: `${name} ${attack}`, commit: "abc" } as unknown as CellResult };
}

const eight = (loss: number): number[] => Array(8).fill(loss);
const ALONE = cellOf("lora-alone", "none", { losses: [...eight(4), 9, 9] });
const CLEAN = cellOf("lora-geometric-median", "silent", { losses: eight(3) });

describe("the figures of an attack", () => {
  const under = (attacked: ReturnType<typeof cellOf>) => attackFigures({ cells: [ALONE, CLEAN, attacked] });

  test("compare the same honest peers: those that lie are in no mean", () => {
    const [one] = under(cellOf("lora-geometric-median", "alie", { losses: [3.4, ...eight(3.2).slice(1)] }));
    expect(one).toMatchObject({ alone: 4, clean: 3, liars: 2, refused: 8, exits: 0 });
    expect(one!.attacked).toBeCloseTo(3.225, 12);
    expect(one!.lost).toBeCloseTo(0.225, 12);
    expect(one!.worst).toBeCloseTo(3.4 / 4 - 1, 12);
    expect(isHeld(one!)).toBe(false);
  });

  test("hold where little is lost, and not where a peer ends worse than alone, ends early or is blamed", () => {
    const held = (options: Parameters<typeof cellOf>[2]) =>
      isHeld(under(cellOf("lora-geometric-median", "zero", options))[0]!);
    expect(held({ losses: eight(3.04) })).toBe(true);
    expect(held({ losses: [4.07, ...eight(2.9).slice(1)] })).toBe(true);
    expect(held({ losses: [4.09, ...eight(2.9).slice(1)] })).toBe(false);
    expect(held({ losses: eight(3), exits: 1 })).toBe(false);
    expect(held({ losses: eight(3), blamed: 1 })).toBe(false);
    expect(held({ losses: eight(Number.NaN) })).toBe(false);
  });

  test("need the run alone and the run without the liars", () => {
    const attacked = cellOf("lora-geometric-median", "alie", { losses: eight(3) });
    expect(attackFigures({ cells: [ALONE, attacked] })).toEqual([]);
    expect(attackFigures({ cells: [CLEAN, attacked] })).toEqual([]);
  });

  test("become a page that says what is missing", () => {
    const cells = [ALONE, CLEAN, cellOf("lora-geometric-median", "alie", { losses: eight(3.2) })];
    const results = [{ suite, cells, learningRates: new Map() }];
    const { methods } = table;
    const rows = [
      { rule: "mean", attack: "alie", own: 4, clean: 3, attacked: 3.02, worst: -1, refused: 0 },
      { rule: "mean", attack: "zero", own: 4, clean: 3, attacked: 4.5, worst: 1, refused: 2 },
    ] as const;
    const oneRounds = [{ key: "k", kind: "lora", peers: 10, liars: 2, rows }] as const;
    const given = { results, methods, oneRounds, oneRoundsWanted: 3, wanted: () => 10 };
    const page = robustnessPage({ ...given, command: "npm run attack" });
    expect(page).toContain("| mean | 1.000 | 2.0 % | **150.0 %** |");
    expect(page).toContain("| mean | 1/2, 150.0 % |");
    expect(page).toContain("| One aggregation under every rule | 1 | 2 |");
    expect(page).toContain("| alie | 2 of 10 | 4.000 | 3.000 | 3.200 | **20.0 %** | -20.0 % | -25.0 % | 8 | **no** |");
    expect(page).toContain(`| ${suite.title} | 3 | 7 |`);
    expect(page).toContain("3 of abc");
  });
});

test("a group of a new network says which adapter and which rate the recipe chose", () => {
  const one = table.suites.find(({ name }) => name === "shipped")!;
  const model = loadBaseModel(readModelFiles(embeddedModelDirectory()));
  const made = one.methods.map((name) => withShipped(methodOf(name), one, model));
  const cells = (["none", "silent", "undo"] as const).map((attack) => {
    const [alone, together] = made;
    const { cell, result } = cellOf("shipped", attack, { losses: attack === "none" ? [...eight(4), 9, 9] : eight(3) });
    return { cell: { ...cell, method: attack === "none" ? alone! : together! }, result };
  });
  const page = robustnessPage({
    ...{ results: [{ suite: one, cells, learningRates: new Map() }], wanted: () => 3, methods: table.methods },
    ...{ oneRounds: [], oneRoundsWanted: 0, command: "npm run attack" },
  });
  expect(page).toContain(
    "what a new network has: `lora:r2:q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj:alpha4+loreft:r4:all`, learning rate 0.01.",
  );
});

test("the published cells say which state of the program computed them, and no figure stands in two of them", async () => {
  const folder = new URL("../../docs/evaluation/robustness/cells/", import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".json"));
  expect(files.length).toBeGreaterThan(0);
  const page = await readFile(new URL("../../docs/ROBUSTNESS.md", import.meta.url), "utf8");
  const keys = new Set<string>();
  for (const file of files) {
    const { key, commit } = JSON.parse(await readFile(new URL(file, folder), "utf8"));
    expect(commit, file).toMatch(/^[0-9a-f]{12}(-dirty)?$/);
    expect(page, file).toContain(commit);
    keys.add(key);
  }
  expect(keys.size).toBe(files.length);
});
