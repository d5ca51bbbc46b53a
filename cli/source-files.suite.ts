/** The product's source, for tests that hold a rule of the whole house. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "./package-folder.ts";

/** TypeScript files of these folders, from the package's folder on, without tests and generated code. */
export function sourceFiles(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(packageFolder(), folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !/(\.(test|suite|long\.test|e2e\.test)|_pb)\.ts$/.test(path))
      .map((path) => `${folder}/${path.replaceAll("\\", "/")}`),
  );
}
