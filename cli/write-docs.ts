/** `npm run docs`: write docs/CLI.md and docs/TRAFFIC.md anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { docsPage } from "./docs-page.ts";
import { packageFolder } from "./package-folder.ts";
import { trafficPage } from "./traffic-page.ts";

writeFileSync(join(packageFolder(), "docs", "CLI.md"), docsPage());
writeFileSync(join(packageFolder(), "docs", "TRAFFIC.md"), trafficPage());
