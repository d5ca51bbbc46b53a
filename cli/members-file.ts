/** A file that names the founders of a network: one peer id and role a line; # begins a comment. */
import { NodeError, readShortText } from "../node/index.ts";
import { closestName } from "../protocol/closest-name.ts";
import { LIMITS } from "../protocol/limits.ts";
import { ROLES, type Role } from "../protocol/membership/roles.ts";
import type { Founder } from "../protocol/membership/settings.ts";
import { parsePeerId } from "../protocol/peer-id.ts";

/** Far above LIMITS.founderCountMax lines with a comment each. */
const FILE_BYTES_MAX = 1_000_000;

/** The founders that a file names.  Throws: NodeError CONFIG_INVALID, naming the line and what is wrong with it. */
export async function readFounders(file: string): Promise<readonly Founder[]> {
  let text: string | undefined;
  try {
    text = await readShortText(file, FILE_BYTES_MAX);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new NodeError("CONFIG_INVALID", `cannot read ${file} (${why}); name a file of founders`, { file }, { cause });
  }
  if (text !== undefined) return parseFounders(text, file);
  throw new NodeError("CONFIG_INVALID", `${file}: too long to be a list of founders; name another file`, { file });
}

/** As readFounders, from the text; `file` is what to call it. */
export function parseFounders(text: string, file: string): readonly Founder[] {
  const refused = (what: string): NodeError => new NodeError("CONFIG_INVALID", `${file}: ${what}`, { file });
  const founders = new Map<string, Founder>();
  text.split(/\r?\n/).forEach((line, i) => {
    const words = line.replace(/#.*/, "").trim();
    if (words === "") return;
    const at = `line ${i + 1}`;
    const [peer = "", role, ...rest] = words.split(/\s+/);
    if (role === undefined || rest.length > 0) {
      throw refused(`${at} is not a peer id and a role, such as 12D3Koo… admin (roles: ${ROLES.join(", ")})`);
    }
    if (!isPeerId(peer)) throw refused(`${at}: ${printable(peer)} is not a peer id, as weft init prints it`);
    if (founders.has(peer)) throw refused(`${at}: ${peer} is there twice`);
    founders.set(peer, { peer, role: roleOf(role, (what) => refused(`${at}: ${what}`)) });
  });
  if (founders.size === 0) throw refused("it names nobody");
  if (founders.size > LIMITS.founderCountMax) throw refused(`it names more than ${LIMITS.founderCountMax} founders`);
  return [...founders.values()];
}

function roleOf(word: string, refused: (what: string) => NodeError): Role {
  const role = ROLES.find((one) => one === word);
  if (role !== undefined) return role;
  const near = closestName(word, ROLES);
  throw refused(`${printable(word)} is no role; ${near ? `did you mean ${near}?` : `one of ${ROLES.join(", ")}`}`);
}

function isPeerId(text: string): boolean {
  try {
    parsePeerId(text);
    return true;
  } catch {
    // Why it is none does not matter here: the line says what one looks like.
    return false;
  }
}

const printable = (text: string): string => `"${text.slice(0, 60).replace(/[^ -~]+/g, "?")}"`;
