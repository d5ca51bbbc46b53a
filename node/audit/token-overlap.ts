/** How much of a text was recovered, as sets of tokens that count how often each occurs. */
export interface TokenOverlap {
  /** Share of the guessed tokens that are in the text. */
  readonly precision: number;
  /** Share of the text's tokens that were guessed. */
  readonly recall: number;
  /** 2 precision recall / (precision + recall). */
  readonly f1: number;
  /** Share of positions whose token was guessed. */
  readonly inPlace: number;
}

/** Throws: RangeError for an empty text. */
export function tokenOverlap(text: readonly number[], guess: readonly number[]): TokenOverlap {
  if (text.length === 0) throw new RangeError("an empty text has no tokens to recover");
  const left = new Map<number, number>();
  for (const token of text) left.set(token, (left.get(token) ?? 0) + 1);
  let common = 0;
  for (const token of guess) {
    const count = left.get(token) ?? 0;
    if (count === 0) continue;
    left.set(token, count - 1);
    common += 1;
  }
  const precision = guess.length === 0 ? 0 : common / guess.length;
  const recall = common / text.length;
  const f1 = common === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  const inPlace = text.filter((token, t) => guess[t] === token).length / text.length;
  return { precision, recall, f1, inPlace };
}

/** The mean of each measure over several texts. */
export function meanOverlap(all: readonly TokenOverlap[]): TokenOverlap {
  const mean = (of: (one: TokenOverlap) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  return {
    precision: mean((one) => one.precision),
    recall: mean((one) => one.recall),
    f1: mean((one) => one.f1),
    inPlace: mean((one) => one.inPlace),
  };
}
