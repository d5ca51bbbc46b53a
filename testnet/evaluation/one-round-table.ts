/** The table of single aggregations: every kind of adapter, rule, attack and number of liars; a file for each kind and number. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import { createNetwork } from "../../node/manifest/create-network.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { ATTACKS, type Attack } from "./attack.ts";
import { embeddedData } from "./embedded-data.ts";
import { type OneRoundRow, oneRound } from "./one-round.ts";
import { type KeptResult, readResult, writeResult } from "./result-files.ts";
import { aloneName, robustnessTable, TRIED_KINDS, triedAggregations } from "./robustness-table.ts";
import type { SuiteMaterial } from "./run-table.ts";

/** One kind of adapter among so many peers, of whom so many lie. */
export interface OneRoundCell {
  readonly kind: keyof typeof TRIED_KINDS;
  readonly peers: number;
  readonly liars: number;
}

/** The rows of a cell, under every rule that its kind allows. */
export interface OneRoundResult extends KeptResult {
  readonly rows: readonly OneRoundRow[];
}

/** All cells, those first that say most: a kind of each sort, then other numbers of liars. */
export const ONE_ROUND_CELLS: readonly OneRoundCell[] = [
  ...(["lora", "tri-lora", "loreft"] as const).map((kind) => ({ kind, peers: 10, liars: 2 })),
  { kind: "lora", peers: 10, liars: 3 },
  { kind: "lora", peers: 30, liars: 6 },
];

const SEED = 1;
const SIZES = { train: 32, validation: 32, test: 16 };
const SETTINGS = { roundsBefore: 3, count: 6, localSteps: 6, receivers: 3, maxTokens: 40, batchSize: 4 };
/**
 * Without those that say nothing new here: no receiver takes a NaN, a replay of the first update is what a stale one is, and what is
 * made for a judge of losses says nothing where there is none.
 */
const LIES = ATTACKS.filter((attack): attack is Attack => !["silent", "nan", "replay", "undo"].includes(attack));

/** In which file below the folder a cell is. */
export const oneRoundPath = ({ kind, peers, liars }: OneRoundCell): string =>
  `one-round/${kind}-n${peers}-f${liars}.json`;

/** Digest of everything that a cell depends on. */
export function oneRoundKey(cell: OneRoundCell, modelDigest: string): string {
  const rules = triedAggregations();
  const text = canonicalize({
    ...cell,
    tried: TRIED_KINDS[cell.kind],
    rules,
    LIES,
    SEED,
    SIZES,
    SETTINGS,
    modelDigest,
  });
  return bytesToHex(sha256(new TextEncoder().encode(text))).slice(0, 32);
}

/** Where cells are, and what to run. */
export interface OneRoundTableOptions {
  readonly material: SuiteMaterial;
  readonly folder: string;
  readonly commit: string | undefined;
  /** A part of the path of the cells to run; all of them when absent. */
  readonly only?: string;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** Computes the cells that are missing; stops between two of them when aborted. */
export async function runOneRounds(options: OneRoundTableOptions): Promise<void> {
  const { material, folder, commit, signal, tell } = options;
  for (const cell of ONE_ROUND_CELLS) {
    if (signal.aborted) return;
    if (options.only !== undefined && !oneRoundPath(cell).includes(options.only)) continue;
    const key = oneRoundKey(cell, material.modelDigest);
    if (await readResult<OneRoundResult>(folder, oneRoundPath(cell), key)) continue;
    const before = process.cpuUsage();
    const rows = await rowsOf(cell, material);
    await writeResult<OneRoundResult>(folder, oneRoundPath(cell), {
      key,
      ...(commit !== undefined && { commit }),
      rows,
    });
    await material.base.release();
    const { user, system } = process.cpuUsage(before);
    tell(`${oneRoundPath(cell)}: ${((user + system) / 1e6).toFixed(1)} s`);
  }
}

/** The cells that are there. */
export async function knownOneRounds({
  material,
  folder,
}: Pick<OneRoundTableOptions, "material" | "folder">): Promise<readonly (OneRoundResult & OneRoundCell)[]> {
  const found: (OneRoundResult & OneRoundCell)[] = [];
  for (const cell of ONE_ROUND_CELLS) {
    const key = oneRoundKey(cell, material.modelDigest);
    const result = await readResult<OneRoundResult>(folder, oneRoundPath(cell), key);
    if (result) found.push({ ...cell, ...result });
  }
  return found;
}

function rowsOf({ kind, peers, liars }: OneRoundCell, { base }: SuiteMaterial): Promise<readonly OneRoundRow[]> {
  const { maxTokens, batchSize, roundsBefore, count, localSteps, receivers } = SETTINGS;
  const { adapter, learningRates } = robustnessTable().methods.find(({ name }) => name === aloneName(kind))!;
  const training: Partial<TrainingSpec> = { learningRate: learningRates![0]!, batchSize, maxTokens };
  const manifest = createNetwork({
    ...{ name: kind, modelDirectory: base.directory, seed: SEED, adapter: adapter as AdapterSettings, training },
    rounds: { count, localSteps },
    reference: { kind: "none" },
  });
  const { tokenizer } = base;
  const data = embeddedData({
    split: { kind: "iid" },
    peers,
    seed: SEED,
    sizes: SIZES,
    tokenizer,
    maxTokens,
    batchSize,
  });
  const rules = Object.entries(triedAggregations()).filter(
    ([, { factors }]) => factors === undefined || kind === "lora",
  );
  return oneRound({
    ...{ base, manifest, sets: data.map(({ sets }) => sets), liars, rounds: roundsBefore, receivers },
    rules: Object.fromEntries(rules),
    attacks: LIES,
  });
}
