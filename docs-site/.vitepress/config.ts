/** The site of the documents: the pages of the repository as they stand, with a menu, a search and a check of their links. */
import { createRequire } from "node:module";
import { defineConfig } from "vitepress";

const { resolve } = createRequire(import.meta.url);

const page = (text: string, link: string) => ({ text, link });

export default defineConfig({
  title: "weft",
  description: "Peer-to-peer fine-tuning of transformer models, with no server anywhere",
  // Links between pages lead out of docs/ as well, so the whole repository is the source.
  srcDir: "..",
  srcExclude: [
    "**/node_modules/**",
    "dist/**",
    "docs-site/**",
    "docs/evaluation/**/cells/**",
    "testnet/evaluation/published.notes.md",
  ],
  outDir: "./site",
  cacheDir: "./.cache",
  // Folders and files that are no pages.
  ignoreDeadLinks: [/^https?:\/\/localhost/, /\/LICENSE$/, /\/protocol\/vectors$/, /\/docs\/evaluation$/],
  rewrites: { "README.md": "index.md" },
  lastUpdated: false,
  // A page that names a command as <name> means the text, and no element.
  markdown: { html: false },
  // Pages outside this folder find Vue here.
  vite: {
    resolve: {
      alias: [
        { find: /^vue$/, replacement: resolve("vue/dist/vue.runtime.esm-bundler.js") },
        {
          find: /^vue\/server-renderer$/,
          replacement: resolve("@vue/server-renderer/dist/server-renderer.esm-bundler.js"),
        },
      ],
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [page("Commands", "/docs/CLI"), { text: "Library", link: "/api/index.html", target: "_self" }],
    sidebar: [
      {
        text: "Begin",
        items: [
          page("What weft is", "/"),
          page("Tutorial", "/docs/TUTORIAL"),
          page("Examples for programs", "/examples/README"),
          page("Beside other systems", "/docs/COMPARISON"),
          page("Words", "/docs/GLOSSARY"),
        ],
      },
      {
        text: "Run a peer",
        items: [
          page("Commands", "/docs/CLI"),
          page("Networks with a roster", "/docs/CONSORTIUM"),
          page("Operations", "/docs/OPERATIONS"),
          page("Reaching others", "/docs/REACHING"),
          page("Admin interface", "/docs/ADMIN"),
          page("Monitoring", "/docs/monitoring/README"),
          page("Files of a peer", "/docs/FILES"),
        ],
      },
      {
        text: "Models and data",
        items: [
          page("Data", "/docs/DATA"),
          page("Models", "/docs/MODELS"),
          page("Large models", "/docs/LARGE-MODELS"),
          page("Devices", "/docs/DEVICES"),
          page("Other programs' files", "/docs/INTERCHANGE"),
          page("Defaults", "/docs/DEFAULTS"),
          page("Aggregation", "/docs/AGGREGATION"),
          page("Lambda", "/docs/LAMBDA"),
          page("What the methods are worth", "/docs/evaluation/README"),
          page("Robustness", "/docs/ROBUSTNESS"),
          page("Performance", "/docs/PERFORMANCE"),
          page("Traffic", "/docs/TRAFFIC"),
        ],
      },
      {
        text: "Security",
        items: [
          page("Promises and tests", "/docs/SECURITY"),
          page("Privacy", "/docs/PRIVACY"),
          page("Floods", "/docs/FLOODS"),
          page("Fuzzing", "/docs/FUZZING"),
          page("The wire", "/protocol/README"),
        ],
      },
      {
        text: "Change weft",
        items: [
          page("Contributing", "/CONTRIBUTING"),
          page("Architecture", "/docs/ARCHITECTURE"),
          page("Dependencies", "/docs/decisions/0001-dependencies"),
          page("Changes", "/CHANGELOG"),
        ],
      },
    ],
  },
});
