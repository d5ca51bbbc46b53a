/** A count with its noun: `1 neighbour`, `2 neighbours`; for every text that a person reads. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
