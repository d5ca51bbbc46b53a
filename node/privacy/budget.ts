/**
 * The privacy budget of a peer: what was done to its data, in the store before anybody hears of it. It belongs to the
 * data directory and is never reset.
 */
import { NodeError } from "../errors.ts";
import type { PrivacySettings, PrivacyStatus } from "../interface/privacy.ts";
import type { Store } from "../interface/store.ts";
import { epsilonOf, type Spending } from "./accountant.ts";
import type { SampledGaussian } from "./subsampled-gaussian.ts";

/** The account of one peer: what was done to its data, and what of it may leave. */
export interface Budget {
  /** Note `count` uses of a mechanism whose results are kept for now; durable when it resolves. */
  perform(mechanism: SampledGaussian, count: number): Promise<void>;
  /**
   * Whether what was performed may be sent; then it counts as spent and is noted as such, durable when it resolves.
   * Otherwise nothing changes.
   */
  release(): Promise<boolean>;
  /**
   * Perform one use of a mechanism whose result is sent by itself, and count it as spent, where the budget covers it beside
   * all that was performed; durable when it resolves. Otherwise nothing changes. Where a life before this data directory is
   * stated, such a result was sent then as well, and counts too.
   */
  spend(mechanism: SampledGaussian): Promise<boolean>;
  /** Uses of the mechanism that are stated of a life before this data directory. */
  earlier(): number;
  status(): PrivacyStatus;
}

interface Account {
  readonly schema: "weft-privacy/1";
  readonly mode: PrivacySettings["mode"];
  /** Everything that was done to the data, sent or not. */
  readonly performed: readonly Spending[];
  /** As much of it as the newest update sent is made from. */
  readonly released: readonly Spending[];
  /** Uses of a mechanism in both of them that were stated, and not counted here. */
  readonly earlier?: number;
}

const KEY = "privacy/budget";
/** Different mechanisms of one budget: each change of the settings begins another. */
const MECHANISMS_MAX = 1000;

/** Whether a store holds a budget: a peer that once promised privacy does not go on without. */
export const hasBudget = async (store: Store): Promise<boolean> => (await store.get(KEY)) !== undefined;

/** How much may leave, and what is known of the time before. */
export interface BudgetOptions {
  readonly settings: PrivacySettings;
  /** Nothing was trained or sent from this store before, so that there is nothing that no budget covers. */
  readonly fresh: boolean;
  /** What every release costs besides what was performed. */
  readonly perRelease?: SampledGaussian;
  /** What a life before this data directory used, as often as the settings state. */
  readonly mechanism: SampledGaussian;
  /** Whether the key came from a backup, so that there may have been such a life. */
  readonly isRestored: boolean;
}

/**
 * Throws: NodeError PRIVACY_BUDGET when the store's budget is of another mode or unreadable, or missing where it should
 * be; STORE_FAILED.
 */
export async function openBudget({ store }: { readonly store: Store }, options: BudgetOptions): Promise<Budget> {
  const { settings, perRelease } = options;
  let account = withEarlier(await load(store, options), options);
  const epsilonWith = (spendings: readonly Spending[]): number => epsilonOf(spendings, settings.delta);
  const afterRelease = (): readonly Spending[] =>
    perRelease ? plus(account.performed, perRelease, 1) : account.performed;
  let spent = epsilonWith(account.released);
  let sending = epsilonWith(afterRelease()) <= settings.epsilon;
  const save = async (next: Account): Promise<void> => {
    if (next.performed.length > MECHANISMS_MAX) {
      const text = `the privacy settings were changed more than ${MECHANISMS_MAX} times; keep them`;
      throw new NodeError("PRIVACY_BUDGET", text);
    }
    await store.batch([{ put: KEY, value: new TextEncoder().encode(JSON.stringify(next)) }]);
    account = next;
  };
  await save(account);
  return {
    perform: (mechanism, count) => save({ ...account, performed: plus(account.performed, mechanism, count) }),
    release: async () => {
      const performed = afterRelease();
      const epsilon = epsilonWith(performed);
      sending = epsilon <= settings.epsilon;
      if (!sending) return false;
      await save({ ...account, performed, released: performed });
      spent = epsilon;
      if (perRelease) sending = epsilonWith(afterRelease()) <= settings.epsilon;
      return true;
    },
    spend: async (mechanism) => {
      const uses = account.earlier ? 2 : 1;
      const performed = plus(account.performed, mechanism, uses);
      if (epsilonWith(performed) > settings.epsilon) return false;
      const released = plus(account.released, mechanism, uses);
      await save({ ...account, performed, released });
      spent = epsilonWith(released);
      sending = epsilonWith(afterRelease()) <= settings.epsilon;
      return true;
    },
    earlier: () => account.earlier ?? 0,
    status: () => {
      const { mode, epsilon, delta } = settings;
      return { mode, spent, epsilon, delta, sending };
    },
  };
}

function plus(spendings: readonly Spending[], { noise, rate }: SampledGaussian, count: number): readonly Spending[] {
  const known = spendings.findIndex((one) => one.noise === noise && one.rate === rate);
  if (known < 0) return [...spendings, { noise, rate, count }];
  return spendings.map((one, i) => (i === known ? { ...one, count: one.count + count } : one));
}

/** The account with what is stated of a life before; what was stated once is not counted again. */
function withEarlier(account: Account, { settings: { earlier = 0 }, mechanism }: BudgetOptions): Account {
  const more = earlier - (account.earlier ?? 0);
  if (more <= 0) return account;
  const [performed, released] = [account.performed, account.released].map((one) => plus(one, mechanism, more));
  return { ...account, performed: performed ?? [], released: released ?? [], earlier };
}

async function load(store: Store, { settings, fresh, isRestored }: BudgetOptions): Promise<Account> {
  const bytes = await store.get(KEY);
  if (bytes === undefined) {
    if (fresh && isRestored && settings.earlier === undefined) {
      const text =
        "the key of this data directory came from a backup, and what was spent of its privacy budget before is not known here";
      throw new NodeError("PRIVACY_BUDGET", text, { problem: "budget-not-counted", mode: settings.mode });
    }
    if (fresh) return { schema: "weft-privacy/1", mode: settings.mode, performed: [], released: [] };
    const text = "this peer has trained or sent updates without a privacy budget, and no later noise takes that back";
    throw new NodeError("PRIVACY_BUDGET", text, { problem: "budget-missing" });
  }
  const account = parse(bytes);
  if (account === undefined) {
    const text = "the privacy budget in the store cannot be read; restore the data directory";
    throw new NodeError("PRIVACY_BUDGET", text, { key: KEY });
  }
  if (account.mode === settings.mode) return account;
  const text = `this peer's privacy budget counts by ${account.mode}, which says nothing about noise by ${settings.mode}`;
  throw new NodeError("PRIVACY_BUDGET", text, { mode: account.mode, problem: "budget-of-another-mode" });
}

function parse(bytes: Uint8Array): Account | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Account;
    const lists = [value.performed, value.released];
    const isSpending = ({ noise, rate, count }: Spending): boolean =>
      noise > 0 && rate > 0 && rate <= 1 && Number.isSafeInteger(count) && count >= 0;
    const isEarlier = value.earlier === undefined || (Number.isSafeInteger(value.earlier) && value.earlier >= 0);
    if (value.schema === "weft-privacy/1" && isEarlier && lists.every((list) => list.every(isSpending))) return value;
  } catch {
    // Not a budget; the caller says so.
  }
  return undefined;
}
