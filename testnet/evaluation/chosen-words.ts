/** Words of a flag of this folder's benchmarks, each of which has to be known. */

/** The words of a list with commas, all of them where it is empty. Ends the program with a line and 2 at one that is not known. */
export function chosenWords(flag: string, text: string, all: readonly string[]): readonly string[] {
  const words = text === "" ? all : text.split(",");
  const unknown = words.find((word) => !all.includes(word));
  if (unknown === undefined) return words;
  process.stderr.write(`--${flag}: "${unknown}" is none of ${all.join(", ")}\n`);
  process.exit(2);
}
