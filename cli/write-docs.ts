/** `npm run docs`: write docs/CLI.md anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { docsPage } from "./docs-page.ts";
import { packageFolder } from "./package-folder.ts";

writeFileSync(join(packageFolder(), "docs", "CLI.md"), docsPage());
