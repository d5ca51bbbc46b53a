/** Secrets that are planted, and the search for them in everything that a peer writes and says, in many encodings. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";

/** A secret by its name, as bytes. */
export type Plants = Readonly<Record<string, Uint8Array>>;

/** A place by its name, and what stands there. */
export type Places = Readonly<Record<string, Buffer>>;

/** Bytes of a secret that are searched for: whoever writes half of it has given it away. */
const PART_BYTES = 16;

/** A secret as it may be written: raw, in two bytes a character, in hex, in base64 and base64url wherever it begins, as numbers. */
export function encodingsOf(secret: Uint8Array): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(secret);
  const text = bytes.toString("latin1");
  const found = new Map<string, Buffer>([
    ["raw", bytes],
    ["utf-16", Buffer.from(text, "utf16le")],
    ["hex", Buffer.from(bytes.toString("hex"))],
    ["HEX", Buffer.from(bytes.toString("hex").toUpperCase())],
    ["numbers", Buffer.from([...bytes].join(","))],
    ["escapes", Buffer.from([...bytes].map((byte) => `\\u00${byte.toString(16).padStart(2, "0")}`).join(""))],
    ["JSON", Buffer.from(JSON.stringify(text).slice(1, -1))],
    ["URL", Buffer.from(encodeURIComponent(text))],
  ]);
  for (const shift of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
    // What the bytes before and behind would change is left out.
    const from = shift === 0 ? 0 : shift + 1;
    const to = Math.floor((shifted.length * 4) / 3) - 1;
    found.set(`base64 at ${shift}`, Buffer.from(shifted.toString("base64").slice(from, to)));
    found.set(`base64url at ${shift}`, Buffer.from(shifted.toString("base64url").slice(from, to)));
  }
  return found;
}

/** Where plants are found: `PLANT as ENCODING in PLACE`. Both halves of a longer secret are searched for by themselves. */
export function findPlants(plants: Plants, places: Places): readonly string[] {
  const found: string[] = [];
  for (const [plant, secret] of Object.entries(plants)) {
    const parts =
      secret.length < 2 * PART_BYTES ? [secret] : [secret.subarray(0, PART_BYTES), secret.subarray(-PART_BYTES)];
    for (const [encoding, bytes] of parts.flatMap((part) => [...encodingsOf(part)])) {
      for (const [place, content] of Object.entries(places)) {
        if (content.includes(bytes)) found.push(`${plant} as ${encoding} in ${place}`);
      }
    }
  }
  return [...new Set(found)];
}

/** Every file of a folder, and every value of its LevelDB, which packs what it holds. Nothing has it open any more. */
export async function placesIn(folder: string, except: readonly string[] = []): Promise<Places> {
  const places: Record<string, Buffer> = {};
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    if (!except.includes(path)) places[path] = readFileSync(path);
  }
  // Opening one of them changes its files, which are read by now.
  for (const { parentPath } of files.filter(({ name }) => name === "CURRENT")) {
    const store = new ClassicLevel<Buffer, Buffer>(parentPath, { keyEncoding: "buffer", valueEncoding: "buffer" });
    await store.open();
    for await (const [key, value] of store.iterator()) places[`${parentPath} ${key}`] = Buffer.concat([key, value]);
    await store.close();
  }
  return places;
}
