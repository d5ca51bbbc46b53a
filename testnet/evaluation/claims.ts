/** The claims of the papers and of weft itself, held against the rows of this evaluation. */
import { type CheckedClaim, type Evidence, findingOf } from "./checked-claim.ts";
import { METRICS, type Metric } from "./metric.ts";
import { SEEDS_MIN } from "./paired.ts";
import { cOnlyAim, goesTheWay, noPeerWorse } from "./peer-claims.ts";
import type { SuiteResults } from "./run-table.ts";
import { grouped, type Row, rowsOf } from "./summary-rows.ts";

/** Rows of the methods that a claim is about; any that a table does not have leave it unmeasured. */
export interface ClaimMethods {
  readonly federatedLora: string;
  readonly loreft: readonly string[];
  readonly cOnly: readonly string[];
  readonly alone: string;
  readonly fixed: string;
  readonly search: string;
  readonly adaptive: string;
}

/** The methods of the published table that the claims speak of. */
export const CLAIM_METHODS: ClaimMethods = {
  federatedLora: "fedit",
  // A mean is compared with a mean: methods that personalise, or the best of several on test data, say nothing of adapters.
  loreft: ["mean-all"],
  cOnly: ["c-only-self", "c-only-uniform", "shipped-c", "shipped-c-tuned", "shipped-c-int8", "shipped-c-int8-tuned"],
  alone: "alone-both",
  fixed: "shipped-half",
  search: "shipped-search",
  adaptive: "shipped",
};

/** Rows of C alone that have an aim of their own, and how each is mixed. */
const C_ONLY_AIMS = [
  { cOnly: "c-only-self", name: "ce-lora-aim", mixed: "weighed with the peer itself" },
  { cOnly: "shipped-c", name: "ce-lora-shipped", mixed: "mixed as a new network mixes" },
  {
    cOnly: "shipped-c-tuned",
    name: "ce-lora-tuned",
    mixed: "mixed as a new network mixes and at a rate searched as the other's",
  },
  {
    cOnly: "shipped-c-int8",
    name: "ce-lora-int8",
    mixed: "of rank 14 in int8, mixed as a new network mixes",
  },
  {
    cOnly: "shipped-c-int8-tuned",
    name: "ce-lora-int8-tuned",
    mixed: "of rank 14 in int8, mixed as a new network mixes and at a rate searched as the other's",
  },
];

/** C-only accuracy is comparable within this many points, or hundredths of a nat, of the federation of LoRA. */
const COMPARABLE = 2;

/** Every claim; it holds when it holds in every setting in which it was measured. */
export function checkClaims(all: readonly SuiteResults[]): readonly CheckedClaim[] {
  const settings = all.filter(({ suite }) => suite.attacks === undefined).flatMap((results) => settingsOf(results));
  return [
    fewerParameters(settings),
    cOnlyTraffic(settings),
    lessForgetting(settings),
    claimOf(goesTheWay(all, CLAIM_METHODS.adaptive)),
    claimOf(noPeerWorse(all, { swarm: CLAIM_METHODS.adaptive, alone: CLAIM_METHODS.alone })),
    ...C_ONLY_AIMS.map((one) => claimOf(cOnlyAim(all, { ...one, lora: CLAIM_METHODS.federatedLora }))),
    neverWorse(settings),
    notWorseThanSearch(settings),
    robust(all),
  ];
}

interface Setting {
  readonly label: string;
  readonly metric: Metric;
  readonly row: (method: string) => Row | undefined;
  readonly rows: readonly Row[];
  readonly withoutReference: ReadonlyMap<string, string>;
}

function settingsOf(results: SuiteResults): readonly Setting[] {
  const { suite, cells } = results;
  const groups = grouped(rowsOf(results), ({ split, peers }) => `${suite.name}, ${split}, ${peers} peers`);
  const pairs = cells.flatMap(({ cell: { method } }) =>
    method.withoutReference === undefined ? [] : ([[method.name, method.withoutReference]] as const),
  );
  return [...groups].map(([label, rows]) => ({
    label,
    metric: METRICS[suite.data],
    row: (method) => rows.find((row) => row.method === method),
    rows,
    withoutReference: new Map(pairs),
  }));
}

function claimOf(fields: Omit<CheckedClaim, "finding">): CheckedClaim {
  return { ...fields, finding: findingOf(fields.evidence) };
}

/** The fewest seeds of several rows. */
const seedsOf = (...rows: readonly Row[]): number => Math.min(...rows.map(({ seeds }) => seeds));

/** Difference in the direction in which more is better. */
const gain = (metric: Metric, a: number, b: number): number => (metric.rises ? a - b : b - a);

function fewerParameters(settings: readonly Setting[]): CheckedClaim {
  const evidence = settings.flatMap(({ label, metric, row }): Evidence[] => {
    const lora = row(CLAIM_METHODS.federatedLora);
    const candidates = CLAIM_METHODS.loreft.flatMap((name) => row(name) ?? []);
    if (!lora || candidates.length === 0) return [];
    const best = candidates.reduce((a, b) => (gain(metric, b.own.mean, a.own.mean) > 0 ? b : a));
    const ratio = lora.trainedParameters / best.trainedParameters;
    const difference = gain(metric, best.own.mean, lora.own.mean);
    const holds = difference >= -metric.tolerance && ratio >= 7;
    const text = `${label}: ${best.title} ${show(metric, best)} with ${best.trainedParameters} parameters, ${lora.title} ${show(metric, lora)} with ${lora.trainedParameters}, ${ratio.toFixed(1)} times as many`;
    return [{ holds, text, seeds: seedsOf(best, lora) }];
  });
  return claimOf({
    name: "fedreft",
    source: "FedReFT, arXiv:2508.20295",
    claim: "the accuracy of federated LoRA, or better, with 7 to 15 times fewer parameters",
    evidence,
  });
}

function cOnlyTraffic(settings: readonly Setting[]): CheckedClaim {
  const evidence = settings.flatMap(({ label, metric, row }): Evidence[] => {
    const lora = row(CLAIM_METHODS.federatedLora);
    const candidates = CLAIM_METHODS.cOnly.flatMap((name) => row(name) ?? []);
    if (!lora) return [];
    // Each by itself: the best of several on test data would be picked by chance too.
    return candidates.map((one) => {
      const difference = gain(metric, one.own.mean, lora.own.mean);
      const ratio = lora.updateBytes / one.updateBytes;
      const holds = difference >= -COMPARABLE * metric.tolerance && ratio > 1;
      const text = `${label}: ${one.title} ${show(metric, one)} with ${one.updateBytes} bytes an update, ${lora.title} ${show(metric, lora)} with ${lora.updateBytes}, ${ratio.toFixed(1)} times as many`;
      return { holds, text, seeds: seedsOf(one, lora) };
    });
  });
  return claimOf({
    name: "ce-lora",
    source: "CE-LoRA, arXiv:2503.23869",
    claim: "accuracy comparable to that of federated LoRA while only C travels",
    evidence,
  });
}

/** Forgetting of the others' tasks and of the own one together; less by more than both deviations. */
function lessForgetting(settings: readonly Setting[]): CheckedClaim {
  const evidence = settings.flatMap(({ label, metric, row, withoutReference }) =>
    [...withoutReference].flatMap(([name, without]): Evidence[] => {
      const [a, b] = [row(name), row(without)];
      if (!a || !b) return [];
      const [psi, before] = [a.psiOwn.mean + a.psiOthers.mean, b.psiOwn.mean + b.psiOthers.mean];
      const spread = Math.hypot(a.psiOwn.deviation, a.psiOthers.deviation, b.psiOwn.deviation, b.psiOthers.deviation);
      const text = `${label}: ${a.title} psi ${amount(metric, psi)}, without ${amount(metric, before)}, spread over the seeds ${amount(metric, spread)}`;
      return [{ holds: before - psi > spread, text, seeds: seedsOf(a, b) }];
    }),
  );
  return claimOf({
    name: "fedref",
    source: "FedRef, arXiv:2506.23210",
    claim: "less is forgotten with the reference model than without",
    evidence,
  });
}

function neverWorse(settings: readonly Setting[]): CheckedClaim {
  const evidence = settings.flatMap(({ label, metric, row }): Evidence[] => {
    const [adaptive, alone, fixed] = [row(CLAIM_METHODS.adaptive), row(CLAIM_METHODS.alone), row(CLAIM_METHODS.fixed)];
    if (!adaptive || !alone || !fixed) return [];
    const better = gain(metric, alone.own.mean, fixed.own.mean) > 0 ? alone : fixed;
    const loss = Math.min(alone.ownLoss.mean, fixed.ownLoss.mean);
    const holds = isNoWorse(metric, adaptive, { own: better.own.mean, loss });
    const text = `${label}: ${show(metric, adaptive)} (${nats(adaptive)}), alone ${show(metric, alone)} (${nats(alone)}), fixed:0.5 ${show(metric, fixed)} (${nats(fixed)})`;
    return [{ holds, text, seeds: seedsOf(adaptive, alone, fixed) }];
  });
  return claimOf({
    name: "adaptive",
    source: "weft's own",
    claim:
      "the adaptive lambda is never worse than the better of alone and fixed:0.5 by more than 1 point of accuracy or 0.01 nats",
    evidence,
  });
}

function notWorseThanSearch(settings: readonly Setting[]): CheckedClaim {
  const evidence = settings.flatMap(({ label, metric, row }): Evidence[] => {
    const [adaptive, search] = [row(CLAIM_METHODS.adaptive), row(CLAIM_METHODS.search)];
    if (!adaptive || !search) return [];
    const holds = isNoWorse(metric, adaptive, { own: search.own.mean, loss: search.ownLoss.mean });
    const text = `${label}: ${show(metric, adaptive)} (${nats(adaptive)}), search ${show(metric, search)} (${nats(search)})`;
    return [{ holds, text, seeds: seedsOf(adaptive, search) }];
  });
  return claimOf({
    name: "adaptive-search",
    source: "weft's own",
    claim: "the adaptive lambda is never worse than the search by more than 1 point of accuracy or 0.01 nats",
    evidence,
  });
}

/** By a tolerance of the metric, or by 0.01 nats. */
function isNoWorse(metric: Metric, row: Row, than: { readonly own: number; readonly loss: number }): boolean {
  return gain(metric, row.own.mean, than.own) >= -metric.tolerance || row.ownLoss.mean <= than.loss + 0.01;
}

/** Under every attack the geometric median stays within 5 tolerances of itself without a liar. */
function robust(all: readonly SuiteResults[]): CheckedClaim {
  const evidence = all
    .filter(({ suite }) => suite.attacks !== undefined)
    .flatMap((results) => {
      const metric = METRICS[results.suite.data];
      const rows = rowsOf(results).filter(({ method }) => method === ROBUST_METHOD);
      const honest = rows.find(({ attack }) => attack === "none");
      if (!honest) return [];
      return rows
        .filter((row) => row !== honest)
        .map((row): Evidence => {
          const holds = gain(metric, row.own.mean, honest.own.mean) >= -5 * metric.tolerance;
          const text = `${row.attack}: ${show(metric, row)}, without a liar ${show(metric, honest)}`;
          return { holds, text, seeds: seedsOf(row, honest) };
        });
    });
  return claimOf({
    name: "robust",
    source: "weft's own",
    claim: "one liar of eight costs the geometric median at most 5 points of accuracy or 0.05 nats",
    evidence,
  });
}

const ROBUST_METHOD = "robust-geometric-median";

function show(metric: Metric, { own, seeds }: Row): string {
  return seeds < SEEDS_MIN
    ? amount(metric, own.mean)
    : `${amount(metric, own.mean)} ± ${amount(metric, own.deviation)}`;
}

const nats = ({ ownLoss }: Row): string => `${ownLoss.mean.toFixed(3)} nats`;

/** A number of the metric, or a difference of two. */
export function amount(metric: Metric, value: number): string {
  if (!Number.isFinite(value)) return "–";
  return metric.unit === "share" ? `${(100 * value).toFixed(1)} %` : `${value.toFixed(3)} nats`;
}
