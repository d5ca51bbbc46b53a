/**
 * An adapter kind that a program brings, for training on one machine. It stands in a module of its own, because the training
 * thread loads it as well. No manifest can name it: peers agree on kinds that all of them have (CONTRIBUTING.md says how to add
 * one).
 */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";
import type { AdapterDefinition } from "./method.ts";

/** Numbers, words and flags that a kind of one's own is set by. */
export type OwnKindOptions = Readonly<Record<string, number | string | boolean>>;

/** What the module of such a kind exports as its default. */
export interface OwnKind extends AdapterDefinition<OwnKindOptions> {
  /** Stands in the adapter's files. */
  readonly name: string;
}

/** Where such a kind is, and what it is set by. */
export interface OwnKindSource {
  /** URL of the module, as `new URL("./my-kind.mjs", import.meta.url)`. */
  readonly module: URL | string;
  readonly options?: OwnKindOptions;
}

/** Settings of such a kind, as an adapter's files have them besides the module, which differs from one machine to the next. */
export interface OwnSettings {
  readonly kind: "own";
  readonly name: string;
  readonly options: OwnKindOptions;
  readonly module: string;
}

/** Under a symbol, which neither JSON nor another thread gets to see. */
const DEFINITION = Symbol("definition of an own kind");

/** Whether these are settings of a program's own kind. */
export function isOwnKind(settings: AdapterSettings): boolean {
  return (settings as { readonly kind: string }).kind === "own";
}

/** The settings as of a kind of one's own; undefined for the others. */
export function ownSettings(settings: AdapterSettings): OwnSettings | undefined {
  return isOwnKind(settings) ? (settings as unknown as OwnSettings) : undefined;
}

/**
 * Settings of a kind, with its definition at hand. They pass for settings of a known kind where an adapter is trained and used;
 * what writes manifests and other programs' files refuses them.
 * Throws: ADAPTER_SETTINGS where the module cannot be loaded or exports no kind.
 */
export async function openOwnKind({ module, options = {} }: OwnKindSource): Promise<AdapterSettings> {
  const url = String(module);
  const definition = await kindIn(url);
  const settings: OwnSettings = { kind: "own", name: definition.name, options, module: url };
  return { ...settings, [DEFINITION]: definition } as unknown as AdapterSettings;
}

/** The same settings with their definition, which other threads do not get with them.  Throws: as openOwnKind. */
export async function withOwnKind(settings: AdapterSettings): Promise<AdapterSettings> {
  const own = ownSettings(settings);
  return own === undefined ? settings : await openOwnKind(own);
}

/** The definition that the settings carry; undefined for kinds that weft knows. */
export function ownDefinition(settings: object): AdapterDefinition<AdapterSettings> | undefined {
  const kind = (settings as { readonly [DEFINITION]?: OwnKind })[DEFINITION];
  if (kind === undefined) return undefined;
  const optionsOf = (given: AdapterSettings): OwnKindOptions => ownSettings(given)?.options ?? {};
  return {
    parts: (given, model) => kind.parts(optionsOf(given), model),
    hooks: (given, model, context) => kind.hooks(optionsOf(given), model, context),
    positions: (given) => kind.positions?.(optionsOf(given)) ?? { first: 0, last: 0 },
    dropout: (given, model) => kind.dropout?.(optionsOf(given), model) ?? [],
    readsWeights: (given) => kind.readsWeights?.(optionsOf(given)) ?? false,
    retract: (slots, theta) => kind.retract?.(slots, theta),
  };
}

async function kindIn(url: string): Promise<OwnKind> {
  const refuse = (what: string, cause?: unknown): NodeError =>
    new NodeError("ADAPTER_SETTINGS", `the adapter kind in ${url} ${what}`, { module: url }, { cause });
  let loaded: { readonly default?: Partial<OwnKind> };
  try {
    loaded = await import(url);
  } catch (cause) {
    throw refuse(`cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const kind = loaded.default;
  if (typeof kind?.name !== "string" || typeof kind.parts !== "function" || typeof kind.hooks !== "function") {
    throw refuse("does not export { name, parts, hooks } as its default");
  }
  return kind as OwnKind;
}
