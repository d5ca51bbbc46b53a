/** What files of data turned out to be, counted while their records are read and said in one line. */
import { visibleLine } from "../visible-text.ts";
import { columnsOfForm, type RowFormName } from "./row-forms.ts";

/** What a record was made of: a row of a form, or a part of a text. */
export type RecordKind = RowFormName | "speech" | "paragraph" | "day";

/** One of a kind, and several. */
const PARTS: Readonly<Partial<Record<RecordKind, readonly [one: string, several: string]>>> = {
  speech: ["speech", "speeches"],
  paragraph: ["paragraph", "paragraphs"],
  day: ["day", "days"],
};

const UNREAD_SHOWN = 8;
const SPEAKERS_SHOWN = 6;

/** Names that say something about a row; they are read. */
const MARKS = new Set(["set", "task", "kind", "overflow", "speaker"]);

/** What a file, or a folder of files, turned out to be; complete once all records are read. */
export class DataFindings {
  /** Forms of files, such as "CSV, gzip", by how many files have them. */
  readonly forms = new Map<string, number>();
  /** Records by what they were made of. */
  readonly rows = new Map<RecordKind, number>();
  /** Columns that no form reads. They divide records among peers, or nothing. */
  readonly unread = new Set<string>();
  /** Whose chats they are, such as "Slack chat". */
  readonly chats = new Set<string>();
  /** Who speaks in chats between people. */
  readonly speakers = new Set<string>();
  /** Whether everybody's words of such a chat are learnt, because nobody was said to be the assistant. */
  learnsEverybody = false;
  /** Whether any record has turns of several speakers. */
  hasConversations = false;
  /** Conversations with thoughts in a field of their own, by its name. */
  readonly thoughts = new Map<string, number>();
  /** What was passed over, by what it is, such as "messages without text". */
  readonly leftOut = new Map<string, number>();
  /** What the owner must look at, a sentence each: data that may be another thing than they were taken for. */
  readonly warnings = new Set<string>();

  /** Counts records of a kind. */
  add(kind: RecordKind, count: number): void {
    this.rows.set(kind, (this.rows.get(kind) ?? 0) + count);
  }

  /** Counts what is passed over. */
  leaveOut(what: string, count: number): void {
    if (count > 0) this.leftOut.set(what, (this.leftOut.get(what) ?? 0) + count);
  }

  /** Notes the columns of a row that its form does not read. */
  addUnread(columns: readonly string[], form: RowFormName): void {
    if (this.unread.size > UNREAD_SHOWN) return;
    const unseen = columns.filter((name) => name.trim() !== "" && !this.unread.has(name) && !MARKS.has(name));
    if (unseen.length === 0) return;
    const read = columnsOfForm(form);
    for (const name of unseen) if (this.unread.size <= UNREAD_SHOWN && !read.includes(name)) this.unread.add(name);
  }

  /** Such as `CSV, gzip; 120 rows of instruction; not trained on: id`. */
  line(): string {
    const counted = [...this.forms].map(([form, count]) => (count === 1 ? form : `${count} files of ${form}`));
    const rows = [...this.rows].map(([kind, count]) => {
      const [one, several] = PARTS[kind] ?? [`row of ${kind}`, `rows of ${kind}`];
      return `${count} ${count === 1 ? one : several}`;
    });
    const chats = [...this.chats].filter((chat) => !this.forms.has(chat));
    const found = [
      counted.join(", "),
      rows.join(", "),
      ...chats,
      ...this.#speakers(),
      ...this.#unread(),
      ...this.#leftOut(),
    ];
    // Columns and speakers are named by whoever wrote the file.
    return visibleLine(found.join("; "));
  }

  #speakers(): readonly string[] {
    if (this.speakers.size === 0) return [];
    const names = [...this.speakers];
    const more = names.length > SPEAKERS_SHOWN ? ` and ${names.length - SPEAKERS_SHOWN} more` : "";
    const who = `speakers: ${names.slice(0, SPEAKERS_SHOWN).join(", ")}${more}`;
    const all = "everybody's words are learnt; roles assistant=NAME would learn one speaker's alone";
    return this.learnsEverybody ? [who, all] : [who];
  }

  #unread(): readonly string[] {
    const unread = [...this.unread].slice(0, UNREAD_SHOWN);
    return unread.length > 0 ? [`not trained on: ${unread.join(", ")}`] : [];
  }

  #leftOut(): readonly string[] {
    if (this.leftOut.size === 0) return [];
    const counted = [...this.leftOut].map(
      ([what, count]) => `${count} ${count === 1 ? what.replace("s ", " ") : what}`,
    );
    return [`left out: ${counted.join(", ")}`];
  }
}
