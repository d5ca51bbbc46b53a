/** Fails for four bytes out of 2^32, each of which is a branch further in. Its code is watched only if it is loaded later. */
export function maze(bytes: Uint8Array): string {
  if (bytes[0] !== 0x77) return "no w";
  if (bytes[1] !== 0x65) return "no e";
  if (bytes[2] !== 0x66) return "no f";
  if (bytes[3] !== 0x74) return "no t";
  throw new TypeError("the way out");
}
