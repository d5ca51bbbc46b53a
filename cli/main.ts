import { packageVersion } from "./package-folder.ts";

console.log(packageVersion());
