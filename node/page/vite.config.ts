/** Builds the page of a running peer into `built/`, which the package carries (`npm run page`). */
import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  root: join(import.meta.dirname, "browser"),
  base: "./",
  logLevel: "warn",
  build: {
    outDir: join(import.meta.dirname, "built"),
    emptyOutDir: true,
    target: "es2022",
    // Names that stay, so that what is served is known by name.
    rollupOptions: { output: { entryFileNames: "page.js", assetFileNames: "page[extname]" } },
    modulePreload: false,
    assetsInlineLimit: 0,
  },
});
