/** Fails for four bytes out of 2^32, each of which is a branch further in. Its code is watched only if it is loaded later. */
export function maze(bytes: Uint8Array): number {
  if (bytes[0] !== 0x77) return 0;
  if (bytes[1] !== 0x65) return 1;
  if (bytes[2] !== 0x66) return 2;
  if (bytes[3] !== 0x74) return 3;
  throw new TypeError("the way out");
}
