/** `npm run docs`: write docs/CLI.md and docs/TRAFFIC.md anew, and the tables of other pages. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { docsPage } from "./docs-page.ts";
import { PAGES_WITH_TABLES, withTables } from "./docs-tables.ts";
import { packageFolder } from "./package-folder.ts";
import { trafficPage } from "./traffic-page.ts";

writeFileSync(join(packageFolder(), "docs", "CLI.md"), docsPage());
writeFileSync(join(packageFolder(), "docs", "TRAFFIC.md"), trafficPage());
for (const page of PAGES_WITH_TABLES) {
  const path = join(packageFolder(), page);
  writeFileSync(path, withTables(readFileSync(path, "utf8")));
}
