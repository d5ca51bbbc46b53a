/** Groups of records, such as speakers or domains, divided among peers in the ways that the papers compare. */
import { prepareExamples } from "../../node/data/dataset.ts";
import { encodeRecords } from "../../node/data/example.ts";
import type { DataRecord } from "../../node/data/record.ts";
import type { Example } from "../../node/interface/trainer.ts";
import { drawnGroups, intentResponse, type RecordGroups } from "./assets-data.ts";
import { type DataSettings, divide } from "./embedded-data.ts";
import { ANSWER_TOKENS_MAX, isCommonsenseRight, isNumberRight } from "./paper-prompt.ts";
import type { PeerData, Question } from "./peer-data.ts";

/** How test examples are scored; "loss" where nothing is asked. */
export type Scoring = "loss" | "intents" | "commonsense" | "gsm8k";

/** Every peer's examples.  Throws: NodeError DATA_TOO_SMALL. */
export function groupData(
  groups: RecordGroups,
  { scoring, ...settings }: DataSettings & { readonly scoring: Scoring },
): readonly PeerData[] {
  const { split, peers, sizes, seed } = settings;
  const prepared = (records: readonly DataRecord[], peer: number, task?: string): PeerData =>
    peerData(records, { ...settings, scoring, peer, task, groups });
  if (split.kind === "distinct") {
    return drawnGroups(groups, { count: peers, sizes, seed }).map((records, peer) =>
      prepared(records, peer, records[0]!.fields.group),
    );
  }
  if (split.kind === "mixed") {
    const drawn = drawnGroups(groups, { count: peers, sizes, seed });
    return dealt(drawn).map((records, peer) => prepared(records, peer));
  }
  const count = Math.min(groups.size, peers);
  const share = (size: number): number => Math.ceil((size * peers) / count);
  const each = { train: share(sizes.train), validation: share(sizes.validation), test: share(sizes.test) };
  const pool = drawnGroups(groups, { count, sizes: each, seed }).flat();
  const rule = split.kind === "dirichlet" ? { ...split, field: "group" } : ({ kind: "iid" } as const);
  return divide(pool, settings, rule).map((records, peer) => prepared(records, peer));
}

/**
 * Half of every set of a group goes to its own peer, a quarter to the next one, and the rest is dealt to all others.
 */
function dealt(groups: readonly (readonly DataRecord[])[]): readonly (readonly DataRecord[])[] {
  const peers = groups.length;
  const hands: DataRecord[][] = groups.map(() => []);
  for (const [g, records] of groups.entries()) {
    for (const set of ["train", "validation", "test"]) {
      const part = records.filter(({ fields }) => fields.set === set);
      for (const [i, record] of part.entries()) {
        const place =
          i < part.length / 2 ? 0 : i < (3 * part.length) / 4 ? peers - 1 : 1 + (i % Math.max(1, peers - 2));
        hands[(g + place) % peers]!.push(record);
      }
    }
  }
  return hands;
}

function peerData(
  records: readonly DataRecord[],
  options: DataSettings & {
    readonly scoring: Scoring;
    readonly peer: number;
    readonly task: string | undefined;
    readonly groups: RecordGroups;
  },
): PeerData {
  const { tokenizer, maxTokens, batchSize, seed, peer, task, scoring } = options;
  const { sets } = prepareExamples(records, { tokenizer, maxTokens, batchSize, seed: seed + peer });
  if (scoring === "loss") return { task, sets };
  // One record gives one example, in order, because all of them are cut rather than continued.
  const tested = records.filter(({ fields }) => fields.set === "test");
  const asked = tested.map((record, i) => [sets.test[i]!, questionOf(record, sets.test[i]!, options)] as const);
  return { task, sets, questions: new Map(asked) };
}

function questionOf(
  record: DataRecord,
  example: Example,
  {
    scoring,
    groups,
    tokenizer,
    maxTokens,
  }: Pick<DataSettings, "tokenizer" | "maxTokens"> & {
    readonly scoring: Scoring;
    readonly groups: RecordGroups;
  },
): Question {
  const answer = record.fields.answer ?? "";
  switch (scoring) {
    case "commonsense":
      return {
        kind: "write",
        tokensMax: ANSWER_TOKENS_MAX.commonsense,
        isRight: (text) => isCommonsenseRight(text, answer),
      };
    case "gsm8k":
      return { kind: "write", tokensMax: ANSWER_TOKENS_MAX.gsm8k, isRight: (text) => isNumberRight(text, answer) };
    case "intents":
    case "loss": {
      const intents = [...new Set(groups.get(record.fields.domain!)!.map(({ fields }) => fields.intent!))];
      const wrong = intents
        .filter((intent) => intent !== record.fields.intent)
        .map((intent): DataRecord => ({ ...record, response: intentResponse(intent) }));
      return { kind: "choose", answers: [example, ...encodeRecords(wrong, { tokenizer, maxTokens }).examples] };
    }
  }
}
