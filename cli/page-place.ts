/** Where a page is, as a person is told. */
import type { ServedAdmin } from "../node/index.ts";
import type { OptionRow } from "./command-row.ts";
import { integer } from "./option-value.ts";
import type { Terminal } from "./terminal.ts";

/** Where the page of a swarm listens. */
export const PAGE_PORT: OptionRow = {
  flags: "--page-port <port>",
  text: "port of 127.0.0.1 for the page of all peers",
  parse: integer(0, 65_535),
  otherwise: "any free one",
};

/** One line. The token goes to a terminal only: what is not one may be kept by many. */
export function pageLine(
  { place, token, tokenFile }: ServedAdmin,
  { errIsTerminal }: Pick<Terminal, "errIsTerminal">,
): string {
  return errIsTerminal ? `page: ${place}/#${token}` : `page: ${place}/ (it asks for what is in ${tokenFile})`;
}
