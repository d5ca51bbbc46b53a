/** What long work tells of itself while it goes on, so that a person sees how far it is. */

/** How far a piece of work is. */
export interface Work {
  /** What is done, in words that go before a count: "hashing the model". One at a time has this name. */
  readonly what: string;
  /** So much of it is done; 0 where nobody counts. */
  readonly done: number;
  /** So much there is to do; absent where nobody knows. */
  readonly total?: number;
  /** What is counted; bytes are shown with their units. */
  readonly unit?: string;
  /** A fact beside the count, such as the newest loss. */
  readonly note?: string;
  /** Whether it holds this thread until it is over, so that nobody on it can tell of it or hear of a signal. */
  readonly blocks?: true;
}

/** That work has begun, is so far, or (`isOver`) has ended. */
export type WorkNews = Work | { readonly what: string; readonly isOver: true };

/** Told of work. */
export type WorkTeller = (news: WorkNews) => void;
