/** Whose turns are whose, under the names that a file has: `assistant=Dr. Weber,user=Patient` on a command line. */
import { closestName } from "../../protocol/closest-name.ts";
import { NodeError } from "../errors.ts";
import { ROLES, type Role } from "./conversation.ts";

/** The role by the name in the file, in lower case. */
export type RoleMap = ReadonlyMap<string, Role>;

/** A role may have several names: `user=patient,user=mother`.  Throws: NodeError CONFIG_INVALID for a text of another form. */
export function parseRoleMap(text: string): RoleMap {
  const map = new Map<string, Role>();
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const [word, name] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || word === "" || name === "") {
      throw refusal(text, `"${pair}" is no pair; write assistant=NAME,user=NAME`);
    }
    const role = ROLES.find((one) => one === word);
    if (role === undefined) {
      const near = closestName(word, ROLES);
      const hint = near === undefined ? `use one of ${ROLES.join(", ")}` : `did you mean ${near}?`;
      throw refusal(text, `"${word}" is no role; ${hint}`);
    }
    if (map.has(name.toLowerCase())) throw refusal(text, `"${name}" stands there twice; give it one role`);
    map.set(name.toLowerCase(), role);
  }
  if (![...map.values()].includes("assistant")) {
    throw refusal(text, "nobody is the assistant, whose turns are learnt; add assistant=NAME");
  }
  return map;
}

function refusal(text: string, why: string): NodeError {
  return new NodeError("CONFIG_INVALID", `roles "${text}": ${why}`, { roles: text });
}
