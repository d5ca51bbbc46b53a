/** `npm run docs`: write docs/CLI.md, docs/TRAFFIC.md, the manual page and the schema anew, and the tables of other pages. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "./config-schema.ts";
import { docsPage } from "./docs-page.ts";
import { PAGES_WITH_TABLES, withTables } from "./docs-tables.ts";
import { manualPage } from "./manual-page.ts";
import { packageFolder } from "./package-folder.ts";
import { trafficPage } from "./traffic-page.ts";

writeFileSync(join(packageFolder(), "docs", "CLI.md"), docsPage());
writeFileSync(join(packageFolder(), "docs", "TRAFFIC.md"), trafficPage());
writeFileSync(join(packageFolder(), "docs", "weft.1"), manualPage());
writeFileSync(join(packageFolder(), "docs", "config.schema.json"), configSchema());
for (const page of PAGES_WITH_TABLES) {
  const path = join(packageFolder(), page);
  writeFileSync(path, withTables(readFileSync(path, "utf8")));
}
