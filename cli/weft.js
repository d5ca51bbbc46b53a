#!/usr/bin/env node
/**
 * The `weft` command. It finds a Node.js that can run weft and starts `cli/main` there: the TypeScript source in a
 * checkout, the compiled file in the published package. Plain JavaScript that old versions can still read.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import module from "node:module";
import { constants, homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { askForLargePages, withLargePages } from "./large-pages.js";
import { watchParent } from "./parent-watch.js";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(packageFolder, "cli", "main.ts");
const isCheckout = existsSync(source);

/** Source runs where types are stripped without a flag (22.18); compiled code runs from 20 on. */
const needed = isCheckout ? [22, 18] : [20, 0];

if (isAtLeast(process.versions.node, needed)) {
  askForLargePages();
  // libp2p uses Promise.withResolvers, which Node.js 20 lacks.
  Promise.withResolvers ??= withResolvers;
  watchParent(() => process.kill(process.pid, "SIGTERM"));
  await keepCompiledCode();
  await import(pathToFileURL(isCheckout ? source : join(packageFolder, "dist", "cli", "main.js")).href);
} else {
  const binary = bundledNode();
  if (binary) runWith(binary);
  else refuse();
}

/** @param {string} version @param {number[]} minimum */
function isAtLeast(version, minimum) {
  const [major, minor] = version.split(".").map(Number);
  return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
}

function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/**
 * Code that this program has compiled once is kept in the user's folder for caches: it halves the time of a start. Threads
 * and processes of this one find the folder in their environment. Without such a folder nothing is kept.
 */
async function keepCompiledCode() {
  try {
    const { WEFT_CACHE, NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
    if (NODE_COMPILE_CACHE || NODE_DISABLE_COMPILE_CACHE) return;
    const folder = join(WEFT_CACHE ? resolve(WEFT_CACHE) : await cacheFolder(), "code");
    // Node.js would make the folders in a way that never ends where a file system takes none, as /proc does.
    if (!isAbsolute(folder) || !isFolderMade(folder)) return;
    const { directory } = module.enableCompileCache?.(folder) ?? {};
    if (directory) process.env.NODE_COMPILE_CACHE = folder;
  } catch {
    // An account without a home folder has no folder for caches either.
  }
}

/** The user's folder for caches.  Throws: where the account has no home. */
async function cacheFolder() {
  // First: the library asks for it as it loads, and what has failed to load once is never loaded again.
  homedir();
  const { default: envPaths } = await import("env-paths");
  return envPaths("weft", { suffix: "" }).cache;
}

/** Make a folder, one level after the other; false where it cannot be. @param {string} folder */
function isFolderMade(folder) {
  if (existsSync(folder)) return true;
  if (!isFolderMade(dirname(folder))) return false;
  mkdirSync(folder);
  return true;
}

/** The binary that the npm package `node` installs, looked for from here upward. */
function bundledNode() {
  const name = process.platform === "win32" ? "node.exe" : "node";
  for (let folder = packageFolder; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", "node", "bin", name);
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Run this same command with another Node.js and end as it ends. @param {string} binary */
function runWith(binary) {
  // The channel closes when this process dies, however it dies; cli/main stops then.
  const child = spawn(binary, process.argv.slice(1), {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: withLargePages(process.env),
  });
  // A terminal sends Ctrl-C to both processes; what is sent to this one alone is passed on.
  const inTerminal = Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
  process.on("SIGINT", () => inTerminal || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGHUP", () => child.kill("SIGHUP"));
  watchParent(() => child.kill("SIGTERM"));
  child.on("error", (error) => {
    process.stderr.write(`weft: cannot start ${binary}: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    process.removeAllListeners(signal);
    // The first process of a container does not die of its own signal.
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}

function refuse() {
  const advice = isCheckout
    ? "run `npm install` here, which brings one"
    : "install a newer one from https://nodejs.org";
  process.stderr.write(
    `weft: Node.js ${needed.join(".")} or newer is needed, this is ${process.versions.node}; ${advice}\n`,
  );
  process.exitCode = 2;
}
