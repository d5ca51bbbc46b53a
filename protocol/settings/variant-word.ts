/** Settings of several kinds in one word, such as `lora:r8:q_proj,v_proj:alpha16`: reading it, writing it, showing it. */
import { closestName } from "../closest-name.ts";
import { fieldBounds, fitsField, textOfValue, valueOfText } from "./field.ts";
import {
  type SettingsOf,
  type Variant,
  type VariantField,
  type Variants,
  type VariantTable,
  wordFields,
} from "./variant.ts";

/** The settings that a word stands for, or its fault: half a sentence, which the forms of the kind may follow. */
export type Reading<T> = { readonly value: T } | { readonly problem: string; readonly kind: string | undefined };

type Values = Record<string, unknown>;
type Named = readonly [string, VariantField];

/** Thrown and caught in this file alone. */
class Problem extends Error {}

/** The settings that a word stands for. */
export function settingsOfWord<All extends Variants>(all: All, word: string): Reading<SettingsOf<All>> {
  try {
    return { value: settingsOf(all, word) as SettingsOf<All> };
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message, kind: kindOf(all, word) };
    throw error;
  }
}

function settingsOf({ tag, kinds, bare }: Variants, word: string): unknown {
  // Elsewhere a plus sign is part of a value: `f7+l7`.
  const [main = "", ...extras] = hasExtras(kinds) ? word.split("+") : [word];
  const parts = main.split(":");
  const [kind = "", ...rest] = isBare(bare, main) ? [bare, ...parts] : parts;
  const variant = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (variant === undefined) {
    const near = closestName(kind, Object.keys(kinds));
    throw new Problem(near === undefined || near === kind ? `"${kind}" is not one of them` : `did you mean ${near}?`);
  }
  const fields = wordFields(variant);
  const values: Values = {};
  const options = readPlaces(kind, fields, rest, values);
  for (const part of [...options, ...extras.map((extra) => `+${extra}`)]) readOption(kind, fields, part, values);
  return complete(tag, kind, variant, values);
}

const isBare = (bare: string | undefined, word: string): bare is string => bare !== undefined && /^[\d.]/.test(word);

/** The kind that a word begins with, where there is such a one. */
function kindOf({ kinds, bare }: Variants, word: string): string | undefined {
  const kind = isBare(bare, word) ? bare : (word.split(/[:+]/)[0] ?? "");
  return Object.hasOwn(kinds, kind) ? kind : undefined;
}

const hasExtras = (kinds: VariantTable): boolean =>
  Object.values(kinds).some(({ fields }) => Object.values(fields).some(({ word }) => word && "plus" in word));

/** Reads the parts that have a place; returns the rest of the word. */
function readPlaces(
  kind: string,
  fields: readonly Named[],
  parts: readonly string[],
  values: Values,
): readonly string[] {
  let rest = parts;
  for (const [name, field] of fields) {
    if (!field.word || !("place" in field.word)) continue;
    const { place, prefix = "" } = field.word;
    const [text] = rest;
    if (place === "optional" && (text === undefined || isOption(fields, text))) continue;
    if (text === undefined || (isOption(fields, text) && parsed(field, prefix, text) === undefined)) {
      throw new Problem(`${kind} needs ${field.text}, ${prefixed(field, prefix)}`);
    }
    values[name] = parsed(field, prefix, text) ?? refuse(field, prefix, text);
    rest = rest.slice(1);
  }
  return rest;
}

function parsed(field: VariantField, prefix: string, text: string): unknown {
  return text.startsWith(prefix) ? valueOfText(field, text.slice(prefix.length)) : undefined;
}

function refuse(field: VariantField, prefix: string, text: string): never {
  throw new Problem(`"${text}" is not ${prefixed(field, prefix)}: ${field.text}`);
}

const prefixed = (field: VariantField, prefix: string): string =>
  prefix === "" ? fieldBounds(field) : `${prefix} followed by ${fieldBounds(field)}`;

/** Whether a part says something that has no place. */
function isOption(fields: readonly Named[], part: string): boolean {
  return fields.some(([, { word, mark }]) => {
    if (mark?.word === part) return true;
    if (!word || "place" in word) return false;
    if ("name" in word) return part.startsWith(word.name);
    if ("plus" in word) return part.startsWith("+");
    return Object.hasOwn(word.words, part);
  });
}

function readOption(kind: string, fields: readonly Named[], part: string, values: Values): void {
  for (const [name, field] of fields) {
    if (field.mark?.word === part && field.mark.state(values[name]) === "plain") {
      values[name] = field.mark.set(values[name]);
      return;
    }
    const value = optionValue(field, part);
    if (value === undefined) continue;
    if (Object.hasOwn(values, name)) throw new Problem(`"${part}" is one part too many`);
    values[name] = value;
    return;
  }
  const known = optionsOf(fields, values);
  throw new Problem(
    known.length === 0 ? `"${part}" is one part too many` : `"${part}" is unknown; ${kind} takes ${known.join(", ")}`,
  );
}

/** The value that a part gives to a field; undefined where it is of another one. */
function optionValue(field: VariantField, part: string): unknown {
  const { word } = field;
  if (!word || "place" in word) return undefined;
  if ("words" in word) return Object.hasOwn(word.words, part) ? word.words[part] : undefined;
  const text = "plus" in word ? part.slice(1) : part;
  const name = "plus" in word ? word.plus : word.name;
  if (("plus" in word && !part.startsWith("+")) || !text.startsWith(name)) return undefined;
  const said = text.slice(name.length).replace(/^[:=]/, "");
  if ("plus" in word && word.value !== undefined) return said === "" ? word.value : undefined;
  return valueOfText(field, said) ?? refuse(field, "", said);
}

function optionsOf(fields: readonly Named[], values: Readonly<Values>): readonly string[] {
  return fields.flatMap(([name, field]) => [
    ...(field.mark && field.mark.state(values[name]) !== "none" ? [field.mark.word] : []),
    ...optionForms(field),
  ]);
}

/** The values of the settings, in the order of the manifest. */
function complete(tag: string, kind: string, { fields }: Variant, values: Readonly<Values>): unknown {
  const settings: Values = { [tag]: kind };
  for (const [name, field] of Object.entries(fields)) {
    const initial = field.initialOf?.(values as never) ?? field.initial;
    const value = Object.hasOwn(values, name) ? values[name] : initial;
    // A value that absence already means is not written into a manifest.
    if (value === undefined || (field.optional && value === initial)) continue;
    if (!fitsField(field, value))
      throw new Problem(`${name} ${textOfValue(field, value)} is not ${fieldBounds(field)}`);
    settings[name] = value;
  }
  return settings;
}

/** The word for settings; `settingsOfWord` of it gives them back, but for fields that no word says. */
export function wordOfSettings<All extends Variants>({ tag, kinds }: All, settings: SettingsOf<All>): string {
  const values = settings as Readonly<Values>;
  const kind = String(values[tag]);
  const fields = wordFields(kinds[kind]!);
  const places = fields.flatMap(([name, field]) => {
    const { word, initial } = field;
    const value = values[name];
    if (!word || !("place" in word) || value === undefined || (word.place === "optional" && value === initial))
      return [];
    const mark = field.mark?.state(value) === "marked" ? [field.mark.word] : [];
    return [`${word.prefix ?? ""}${textOfValue(field, value)}`, ...mark];
  });
  const options = fields.flatMap(([name, field]) =>
    values[name] === undefined || values[name] === field.initial ? [] : optionText(field, values[name]),
  );
  const isExtra = (part: string): boolean => part.startsWith("+");
  return [kind, ...places, ...options.filter((part) => !isExtra(part))].join(":") + options.filter(isExtra).join("");
}

function optionText(field: VariantField, value: unknown): readonly string[] {
  const { word } = field;
  if (!word || "place" in word) return [];
  if ("name" in word) return [`${word.name}${textOfValue(field, value)}`];
  if ("words" in word) return Object.keys(word.words).filter((one) => word.words[one] === value);
  return [word.value === undefined ? `+${word.plus}:${textOfValue(field, value)}` : `+${word.plus}`];
}

/** The forms of all kinds for help, such as `lora:r8:q_proj,v_proj[:alpha16] (or ffa-lora)`; kind: of this one alone. */
export function wordForms({ kinds }: Variants, kind?: string): string {
  if (kind !== undefined) return `${kind}${wordForm(kinds[kind]!, [])}`;
  const shared = sharedOptions(kinds);
  const byForm = new Map<string, string[]>();
  for (const [name, variant] of Object.entries(kinds)) {
    const form = wordForm(variant, shared);
    byForm.set(form, [...(byForm.get(form) ?? []), name]);
  }
  const forms = [...byForm].flatMap(([form, [first = "", ...others]]) =>
    form === "" ? [first, ...others] : [`${first}${form}${others.length > 0 ? ` (or ${others.join(", ")})` : ""}`],
  );
  return [...forms, ...(shared.length > 0 ? [`each with ${shared.map(optional).join("")}`] : [])].join(", ");
}

/** The options that every kind has, which are said once. */
function sharedOptions(kinds: VariantTable): readonly string[] {
  const [first = [], ...others] = Object.values(kinds).map((variant) =>
    wordFields(variant).flatMap(([, field]) => optionForms(field)),
  );
  return first.filter((form) => others.length > 0 && others.every((forms) => forms.includes(form)));
}

const optional = (form: string): string => (form.startsWith("+") ? `[${form}]` : `[:${form}]`);

function wordForm(variant: Variant, without: readonly string[]): string {
  const fields = wordFields(variant);
  const places = fields.map(([, { word, mark, example = "" }]) => {
    if (!word || !("place" in word)) return "";
    const part = `:${word.prefix ?? ""}${example}`;
    return (word.place === "optional" ? `[${part}]` : part) + (mark ? optional(mark.word) : "");
  });
  const options = fields.flatMap(([, field]) => optionForms(field)).filter((form) => !without.includes(form));
  // What is behind a plus sign ends the word.
  const isExtra = (form: string): boolean => form.startsWith("+");
  return [...places, ...[...options.filter((form) => !isExtra(form)), ...options.filter(isExtra)].map(optional)].join(
    "",
  );
}

/** How an option looks, with its example. */
function optionForms({ word, initial, example = "" }: VariantField): readonly string[] {
  if (!word || "place" in word) return [];
  if ("name" in word) return [`${word.name}${example}`];
  if ("words" in word) return Object.keys(word.words).filter((one) => word.words[one] !== initial);
  return [word.value === undefined ? `+${word.plus}:${example}` : `+${word.plus}`];
}
