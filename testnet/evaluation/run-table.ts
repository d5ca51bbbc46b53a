/** Runs a declared table, cell by cell, and goes on where it stopped. */
import type { SharedBase } from "./base.ts";
import { type Cell, type CellResult, cellKey, cellPath, cellResult, validationLoss } from "./cell.ts";
import { hearsOthers } from "./method.ts";
import type { PeerData } from "./peer-data.ts";
import type { ResultFiles } from "./result-files.ts";
import { withShipped } from "./shipped.ts";
import { simulate } from "./simulate.ts";
import { type Split, splitName } from "./split.ts";
import type { DeclaredMethod, Suite, Table } from "./table.ts";

/** A base model, and what the suite's data are to it. */
export interface SuiteMaterial {
  readonly base: SharedBase;
  readonly modelDigest: string;
  data(options: { readonly split: Split; readonly peers: number; readonly seed: number }): Promise<readonly PeerData[]>;
}

/** What to run of a table, and where its parts are. */
export interface RunOptions {
  readonly table: Table;
  readonly files: ResultFiles;
  /** undefined, with a reason that was told, for a suite whose material is not there. */
  readonly materialOf: (suite: Suite) => Promise<SuiteMaterial | undefined>;
  /** A part of the path of the cells to run; all of them when absent. */
  readonly only?: string;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
  /** The state of the program, which is written into the cells. */
  readonly commit?: string | undefined;
}

/** A learning rate and the validation loss by which it was chosen. */
export interface ChosenRate {
  readonly rate: number;
  /** The grid's smallest or largest: a better one may lie beyond it. */
  readonly isEnd: boolean;
}

/** A suite with the cells that were run. */
export interface SuiteResults {
  readonly suite: Suite;
  /** In the table's order; those of the search for learning rates are not among them. */
  readonly cells: readonly { readonly cell: Cell; readonly result: CellResult }[];
  /** By method and division; those of the grid that were taken. */
  readonly learningRates: ReadonlyMap<string, ChosenRate>;
}

/** All suites whose material is there; stops between two rounds when aborted, with what is saved by then. */
export async function runTable(options: RunOptions): Promise<readonly SuiteResults[]> {
  const results: SuiteResults[] = [];
  for (const suite of options.table.suites) {
    const material = await options.materialOf(suite);
    if (!material) continue;
    try {
      results.push(await runSuite(suite, material, options));
    } finally {
      await material.base.release();
    }
  }
  return results;
}

/** What is there of a table, with the learning rates that what is there tells; nothing is computed. */
export async function knownCells(options: RunOptions): Promise<readonly SuiteResults[]> {
  const { table, files } = options;
  const results: SuiteResults[] = [];
  for (const suite of table.suites) {
    const material = await options.materialOf(suite);
    if (!material) continue;
    const cells: { cell: Cell; result: CellResult }[] = [];
    const methods = table.methods.map((method) => withShipped(method, suite, material.base.model));
    const shipped = { ...table, methods };
    const learningRates = new Map<string, ChosenRate>();
    const run = (cell: Cell): Promise<CellResult | undefined> => {
      const key = cellKey(cell, material.modelDigest);
      return files.load(cellPath(cell, key), key);
    };
    for (const bare of cellsOf(suite, shipped)) {
      const learningRate = await tunedRate(bare, { table: shipped, learningRates, run, signal: options.signal });
      if (learningRate === undefined) continue;
      const cell = { ...bare, learningRate };
      const result = await run(cell);
      if (result) cells.push({ cell, result });
    }
    await material.base.release();
    results.push({ suite, cells, learningRates });
  }
  return results;
}

async function runSuite(suite: Suite, material: SuiteMaterial, options: RunOptions): Promise<SuiteResults> {
  const { only, signal } = options;
  const methods = options.table.methods.map((method) => withShipped(method, suite, material.base.model));
  const table: Table = { ...options.table, methods };
  const learningRates = new Map<string, ChosenRate>();
  const sameWork = new Map<string, CellResult>();
  const cells: { cell: Cell; result: CellResult }[] = [];
  const run = (cell: Cell): Promise<CellResult> => runCell(cell, material, { ...options, sameWork });
  for (const cell of cellsOf(suite, table)) {
    if (signal.aborted) break;
    if (only !== undefined && !cellPath(cell, "").includes(only)) continue;
    const learningRate = await tunedRate(cell, { table, learningRates, run, signal });
    if (learningRate === undefined) break;
    const chosen = { ...cell, learningRate };
    const result = await unlessAborted(run(chosen), signal);
    if (!result) break;
    cells.push({ cell: chosen, result });
    // Frozen tensors are part of a graph: those of another seed are never asked for again.
    await material.base.release();
  }
  return { suite, cells, learningRates };
}

/** Cells without their learning rate, seed by seed, so that an early stop leaves whole columns. */
export function cellsOf(suite: Suite, { methods }: Table): Cell[] {
  const named = suite.methods.map((name) => methods.find((one) => one.name === name)!);
  const lies = (suite.attacks ?? ["none" as const]).flatMap((attack) =>
    (attack === "none" ? [undefined] : (suite.liars ?? [undefined])).map((liars) => ({
      attack,
      ...(liars !== undefined && { liars }),
    })),
  );
  const cells = suite.peers.flatMap((peers) =>
    suite.seeds.flatMap((seed) =>
      suite.splits.flatMap((split) =>
        lies.flatMap((lie) =>
          named.map((method) => ({ suite, method, split, peers, seed, ...lie, learningRate: 0, tuning: false })),
        ),
      ),
    ),
  );
  // Where liars fall silent, that is the run to compare with, and one in which they tell the truth is not asked for.
  const asksForSilence = suite.attacks?.includes("silent") === true;
  return cells.filter(({ attack, method }) =>
    attack === "none" ? !(asksForSilence && hearsOthers(method)) : hearsOthers(method),
  );
}

/** Rates beyond the grid's ends that are tried at most. */
const WIDENINGS_MAX = 4;

/**
 * The rate with the least validation loss of the swarm on the tuning seed; a loss that is no number is the worst. While it is an
 * end of what was tried, the next one beyond that end is tried too. undefined when aborted.
 */
async function tunedRate(
  cell: Cell,
  {
    table,
    learningRates,
    run,
    signal,
  }: {
    readonly table: Table;
    readonly learningRates: Map<string, ChosenRate>;
    readonly run: (cell: Cell) => Promise<CellResult | undefined>;
    readonly signal: AbortSignal;
  },
): Promise<number | undefined> {
  const { suite } = cell;
  const name = cell.method.rateOf ?? cell.method.name;
  const method: DeclaredMethod = table.methods.find((one) => one.name === name)!;
  const split = suite.tuning === undefined || suite.tuning.split === "each" ? cell.split : suite.tuning.split;
  const place = `${name} ${splitName(split)}`;
  const known = learningRates.get(place);
  if (known !== undefined) return known.rate;
  const grid = suite.learningRates?.[name] ?? method.learningRates!;
  let best = { rate: grid[0]!, loss: Number.POSITIVE_INFINITY };
  const tried = new Set(suite.tuning && grid.length > 1 ? grid : []);
  const ratesMax = tried.size + WIDENINGS_MAX;
  // A set gives what is added to it while it is gone through.
  for (const rate of tried) {
    const { seed, peers } = suite.tuning!;
    // A rate is chosen where everybody hears everybody, so that suites share it.
    const everybody: Suite = { ...suite, meetings: undefined };
    const trial: Cell = {
      suite: everybody,
      method,
      split,
      peers,
      seed,
      attack: "none",
      learningRate: rate,
      tuning: true,
    };
    const result = await unlessAborted(run(trial), signal);
    if (!result) return undefined;
    const loss = validationLoss(result);
    if (loss < best.loss) best = { rate, loss };
    const isLast = [...tried].at(-1) === rate;
    const next = isLast && tried.size < ratesMax ? rateBeyond([...tried], best.rate) : undefined;
    if (next !== undefined) tried.add(next);
  }
  const isEnd = tried.size > 0 && [Math.min(...tried), Math.max(...tried)].includes(best.rate);
  learningRates.set(place, { rate: best.rate, isEnd });
  return best.rate;
}

/** The rate beyond the end of a grid, as far from it as its neighbour; undefined for one inside, or beyond what a manifest may say. */
export function rateBeyond(rates: readonly number[], best: number): number | undefined {
  const sorted = [...rates].sort((a, b) => a - b);
  const at = sorted.indexOf(best);
  const neighbour = at === 0 ? sorted[1] : at === sorted.length - 1 ? sorted[at - 1] : undefined;
  if (neighbour === undefined) return undefined;
  const rate = Number(((best * best) / neighbour).toPrecision(1));
  return rate > RATE_MAX || rates.includes(rate) ? undefined : rate;
}

/** The largest learning rate of a table. */
const RATE_MAX = 10;

async function runCell(
  cell: Cell,
  material: SuiteMaterial,
  { files, signal, tell, commit, sameWork }: RunOptions & { readonly sameWork: Map<string, CellResult> },
): Promise<CellResult> {
  const { suite, method, split, peers, seed, attack, liars, learningRate } = cell;
  const key = cellKey(cell, material.modelDigest);
  const path = cellPath(cell, key);
  const known = await files.load(path, key);
  if (known) {
    sameWork.set(key, known);
    return known;
  }
  // Methods that come to the same settings, as a tuned one and the shipped one may, are computed once.
  const same = sameWork.get(key);
  if (same && same.cell.tuning === cell.tuning) {
    const copy = { ...same, cell: { ...same.cell, method: method.name } };
    await files.save(path, copy);
    return copy;
  }
  signal.throwIfAborted();
  const data = await material.data({ split, peers, seed });
  const result = await simulate({
    base: material.base,
    data,
    method,
    settings: { rounds: suite.rounds, localSteps: suite.localSteps, training: { ...suite.training, learningRate } },
    seed,
    ...(attack === "none" ? {} : { attack, ...(liars !== undefined && { liars }) }),
    ...(suite.meetings !== undefined && { meetings: suite.meetings }),
    scoresOthers: suite.scoresOthers ?? true,
    lookEvery: suite.lookEvery,
    signal,
  });
  const row = cellResult(cell, { key, result, tasks: data.map(({ task }) => task), commit });
  await files.save(path, row);
  sameWork.set(key, row);
  const { train, aggregate, evaluate } = result.seconds;
  tell(`${path}: ${(train + aggregate + evaluate).toFixed(1)} s, validation loss ${validationLoss(row).toFixed(4)}`);
  return row;
}

/** undefined when the work ended because of the signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}
