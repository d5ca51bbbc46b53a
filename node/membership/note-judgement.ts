/** What is said of a note about the roster: `NEWS` is kept and passed on. */
export type NoteJudgement =
  | { readonly verdict: "accept"; readonly code: "NEWS" }
  | { readonly verdict: "ignore" | "reject"; readonly code: string };

export const news: NoteJudgement = { verdict: "accept", code: "NEWS" };
/** Dropped without blame. */
export const ignored = (code: string): NoteJudgement => ({ verdict: "ignore", code });
/** Dropped, and held against who sent it. */
export const rejected = (code: string): NoteJudgement => ({ verdict: "reject", code });
