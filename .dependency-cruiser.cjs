/** Import directions of the house (docs/ARCHITECTURE.md): protocol <- node <- testnet <- cli. */
const room = (name) => `^node/${name}/`;
const tests = "\\.(test|suite|e2e\\.test)\\.ts$";
module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-tools-in-the-product",
      comment: "the published package is installed without devDependencies; the evaluation is no part of it",
      severity: "error",
      from: { path: "^(protocol|node|cli|testnet)/", pathNot: [tests, "^testnet/evaluation/", "^node/page/"] },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "protocol-is-the-ground",
      severity: "error",
      from: { path: "^protocol/" },
      to: { path: "^(node|cli|testnet)/" },
    },
    {
      name: "node-below-testnet",
      severity: "error",
      from: { path: "^node/", pathNot: tests },
      to: { path: "^(cli|testnet)/" },
    },
    {
      name: "testnet-below-cli",
      severity: "error",
      from: { path: "^testnet/", pathNot: tests },
      to: { path: "^cli/" },
    },
    {
      name: "node-by-its-index",
      comment:
        "programs use node/ as anybody else does, through what node/index.ts offers; tests and testnet/evaluation compare and test inner parts, so they alone reach deeper",
      severity: "error",
      from: { path: "^(cli|testnet)/", pathNot: [tests, "^testnet/(evaluation|fixtures)/"] },
      to: { path: "^node/(?!index\\.ts$)" },
    },
    {
      name: "words-know-no-hands",
      comment: "tables and sentences for the testnet and the commands; neither processes, commands nor the machine",
      severity: "error",
      from: { path: "^testnet/words/", pathNot: tests },
      to: { path: "^cli/|^testnet/(?!words/)|^node/(?!index\\.ts$)" },
    },
    {
      name: "protocol-is-pure",
      severity: "error",
      from: { path: "^protocol/", pathNot: tests },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "only-system-has-hands",
      comment: "libp2p, onnxruntime-node, storage and node:* are touched in node/system only",
      severity: "error",
      from: { path: "^node/", pathNot: [room("system"), room("bench"), tests, "^node/pretrain/main\\.ts$"] },
      to: {
        path: "^(libp2p|@libp2p/|@chainsafe/|onnxruntime-node|classic-level|pino|fastify|@fastify/|prom-client)|node_modules/(libp2p|@libp2p|@chainsafe|onnxruntime-node|classic-level|pino|fastify|@fastify|prom-client)/",
      },
    },
    {
      name: "one-place-loads-onnxruntime",
      comment: "it must be told not to phone home before it is loaded",
      severity: "error",
      from: { path: "^(protocol|node|cli|testnet)/", pathNot: "^node/system/compute/load-onnxruntime\\.ts$" },
      to: { path: "(^|node_modules/)onnxruntime-node" },
    },
    {
      name: "only-system-imports-node-builtins",
      severity: "error",
      from: {
        path: "^node/",
        pathNot: [room("system"), room("bench"), tests, "^node/pretrain/main\\.ts$", "^node/page/vite\\.config\\.ts$"],
      },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "interface-at-the-bottom",
      severity: "error",
      from: { path: room("interface"), pathNot: tests },
      to: { path: "^node/", pathNot: [room("interface"), "^node/(tensor|errors)\\.ts$"] },
    },
    {
      name: "onnx-below-autodiff",
      severity: "error",
      from: { path: room("onnx"), pathNot: tests },
      to: { path: "^node/(autodiff|adapter|model|training|data|exchange|aggregation|round|system)/" },
    },
    {
      name: "autodiff-below-training",
      severity: "error",
      from: { path: room("autodiff"), pathNot: tests },
      to: { path: "^node/(adapter|model|training|data|exchange|aggregation|round|system)/" },
    },
    {
      name: "adapter-uses-onnx-only",
      severity: "error",
      from: { path: room("adapter"), pathNot: tests },
      to: { path: "^node/(training|data|exchange|aggregation|round|system)/" },
    },
    {
      name: "interchange-reads-bytes-only",
      comment: "formats of adapters and merged models; files are node/system's, training is node/training's",
      severity: "error",
      from: { path: room("interchange"), pathNot: tests },
      to: { path: "^node/(autodiff|training|generation|data|exchange|aggregation|round|system)/" },
    },
    {
      name: "generation-knows-no-training",
      severity: "error",
      from: { path: room("generation"), pathNot: tests },
      to: { path: "^node/(autodiff|training|data|exchange|aggregation|round|system)/" },
    },
    {
      name: "data-knows-no-training",
      severity: "error",
      from: { path: room("data"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|training|exchange|aggregation|round|system)/" },
    },
    {
      name: "aggregation-knows-no-network",
      severity: "error",
      from: { path: room("aggregation"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|model|training|data|exchange|lambda|round|system)/" },
    },
    {
      name: "lambda-knows-no-network",
      comment: "how far a peer goes towards the aggregate: losses and adapters in, a decision out",
      severity: "error",
      from: { path: room("lambda"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|model|training|data|exchange|membership|privacy|round|system)/" },
    },
    {
      name: "privacy-knows-no-network",
      comment: "accounts, noise and records; what is trained and sent comes in as arguments",
      severity: "error",
      from: { path: room("privacy"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|model|training|data|exchange|round|system)/" },
    },
    {
      name: "audit-knows-no-network",
      severity: "error",
      from: { path: room("audit"), pathNot: tests },
      to: { path: "^node/(exchange|aggregation|round|system)/" },
    },
    {
      name: "membership-knows-no-training",
      comment: "who may take part; the exchange asks it through node/interface and never imports it",
      severity: "error",
      from: { path: room("membership"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|model|training|data|aggregation|privacy|round|system)/" },
    },
    {
      name: "exchange-knows-no-training",
      severity: "error",
      from: { path: room("exchange"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|model|training|data|aggregation|membership|round|system)/" },
    },
    {
      name: "page-knows-answers-only",
      comment: "it runs in a browser: what it has of node are types of what the admin interface answers",
      severity: "error",
      from: { path: "^node/page/browser/" },
      to: { path: "^(protocol|node|cli|testnet)/", pathNot: ["^node/page/browser/", room("interface")] },
    },
    {
      name: "page-is-built",
      comment: "the package carries what was built of it; nothing else imports its source",
      severity: "error",
      from: { path: "^(protocol|node|cli|testnet)/", pathNot: "^node/page/" },
      to: { path: "^node/page/" },
    },
    {
      name: "admin-knows-no-training",
      comment: "what people may see and do of a peer; it asks the peer, and neither trains nor speaks to others",
      severity: "error",
      from: { path: room("admin"), pathNot: tests },
      to: { path: "^node/(onnx|autodiff|adapter|model|training|data|aggregation|exchange|round)/" },
    },
    {
      name: "system-serves-no-composition",
      severity: "error",
      from: { path: room("system"), pathNot: tests },
      to: { path: "^(cli|testnet)/|^node/round/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Its parser reads no JSX; node/page/built.test.ts holds those files to the same direction.
    exclude: { path: "(_pb\\.ts$|^dist/|\\.tsx$)" },
    // TypeScript 7 has no JavaScript API; swc parses in its place.
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
