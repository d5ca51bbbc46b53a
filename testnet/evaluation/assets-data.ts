/** Real text among the assets: plays by speaker, and questions to an assistant by domain. */

import type { DataRecord } from "../../node/data/record.ts";
import { NodeError } from "../../node/errors.ts";
import { createPrng, type Prng } from "../../protocol/prng.ts";

/** The number of records in each set. */
export interface SetSizes {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** Records by the group that a peer may have as its own: a speaker, a domain, a data set. */
export type RecordGroups = ReadonlyMap<string, readonly DataRecord[]>;

/** Speeches shorter than this say hardly anything of a speaker. */
const SPEECH_CHARACTERS_MIN = 60;

/** The speakers with most to say, most first. */
export function speakerGroups(speeches: readonly DataRecord[], sizes: SetSizes): RecordGroups {
  const groups = new Map<string, DataRecord[]>();
  for (const record of speeches) {
    if (record.response.length < SPEECH_CHARACTERS_MIN) continue;
    const speaker = record.fields.speaker!;
    // One example a speech, so that sizes are those of the table.
    const one: DataRecord = { ...record, overflow: "cut" };
    const group = groups.get(speaker);
    if (group) group.push(one);
    else groups.set(speaker, [one]);
  }
  const enough = [...groups].filter(([, records]) => records.length >= total(sizes));
  return new Map(enough.sort(([, a], [, b]) => b.length - a.length));
}

/** The content of clinc150's two files: questions with their intent, and the intents of each domain. */
export interface IntentFiles {
  readonly questions: { readonly [part: string]: readonly (readonly [text: string, intent: string])[] };
  readonly domains: { readonly [domain: string]: readonly string[] };
}

/** Questions by domain, answered with the intent's name in words; those out of scope have none and are left out. */
export function intentGroups({ questions, domains }: IntentFiles): RecordGroups {
  const domainOf = new Map(Object.entries(domains).flatMap(([domain, intents]) => intents.map((one) => [one, domain])));
  const groups = new Map<string, DataRecord[]>(Object.keys(domains).map((domain) => [domain, []]));
  for (const [part, rows] of Object.entries(questions)) {
    for (const [text, intent] of rows) {
      const domain = domainOf.get(intent);
      if (domain === undefined) continue;
      const fields = { domain, intent, part: part === "test" ? "test" : "train" };
      groups.get(domain)!.push({ prompt: `${text} ->`, response: intentResponse(intent), fields, overflow: "cut" });
    }
  }
  return groups;
}

/** An intent's name as a response. */
export const intentResponse = (intent: string): string => ` ${intent.replaceAll("_", " ")}`;

/**
 * As many records of each of the first groups as the sizes ask for, in seeded order, each with the field `set`, and with
 * the field `group`. Where records have the field `part`, tests are drawn from the part `test` and all else from the part
 * `train`. No record is drawn twice.
 * Throws: NodeError DATA_TOO_SMALL.
 */
export function drawnGroups(
  groups: RecordGroups,
  { count, sizes, seed }: { readonly count: number; readonly sizes: SetSizes; readonly seed: number },
): readonly (readonly DataRecord[])[] {
  const root = createPrng(seed).fork("evaluation-records");
  const chosen = [...groups].slice(0, count);
  if (chosen.length < count) {
    const text = `there are ${chosen.length} groups of data that are large enough, ${count} are needed; lower the sizes or the peers`;
    throw new NodeError("DATA_TOO_SMALL", text, { groups: chosen.length, count });
  }
  return chosen.map(([name, records]) => drawn(name, records, { sizes, prng: root.fork(name) }));
}

function drawn(
  group: string,
  records: readonly DataRecord[],
  { sizes, prng }: { readonly sizes: SetSizes; readonly prng: Prng },
): readonly DataRecord[] {
  const seen = new Set<string>();
  const left = prng.shuffle(records).filter(({ prompt, response }) => {
    const text = `${prompt}\n${response}`;
    return !seen.has(text) && seen.add(text);
  });
  return (["test", "validation", "train"] as const).flatMap((set) => {
    const part = set === "test" ? "test" : "train";
    const fits = left.filter(({ fields }) => (fields.part ?? part) === part).slice(0, sizes[set]);
    if (fits.length < sizes[set]) {
      const text = `"${group}" has ${fits.length} different records for its ${set} set, ${sizes[set]} are needed; lower the sizes`;
      throw new NodeError("DATA_TOO_SMALL", text, { group, set, records: fits.length });
    }
    for (const record of fits) left.splice(left.indexOf(record), 1);
    return fits.map((record) => ({ ...record, fields: { ...record.fields, set, group } }));
  });
}

const total = ({ train, validation, test }: SetSizes): number => train + validation + test;
