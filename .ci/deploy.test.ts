/** The files of deploy/ are held to what weft takes: its flags, its variables, its exit codes, its paths. */
import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { COMMANDS } from "../cli/command-table.ts";
import { environmentName } from "../cli/environment.ts";
import { EXIT_CODES } from "../cli/exit-code.ts";
import { buildProgram } from "../cli/program.ts";

const folder = join(import.meta.dirname, "../deploy");
const text = (name: string): string => readFileSync(join(folder, name), "utf8");
const DOCKERFILE = text("Dockerfile");
const COMPOSE = parse(text("compose.yaml"));
const [service, statefulSet] = parseAllDocuments(text("kubernetes.yaml")).map((one) => one.toJS());
const [container] = statefulSet.spec.template.spec.containers;
const UNIT = text("weft.service");

/** The JSON list after the last such instruction of the Dockerfile. */
function instruction(name: string): string[] {
  const [, list] = [...DOCKERFILE.matchAll(new RegExp(`^${name} (\\[.*\\])$`, "gm"))].at(-1)!;
  return JSON.parse(list!);
}

const HEALTH: readonly [string, readonly string[]][] = [
  ["Dockerfile", JSON.parse(/^ +CMD (\[.*\])$/m.exec(DOCKERFILE)![1]!)],
  ["kubernetes.yaml: liveness", container.livenessProbe.exec.command],
  ["kubernetes.yaml: readiness", container.readinessProbe.exec.command],
];

describe("deploy", () => {
  it.each<[string, readonly string[]]>([
    ["Dockerfile", instruction("CMD")],
    ["compose.yaml", COMPOSE.services.peer.command],
    ["kubernetes.yaml", container.args],
    ["weft.service", /^ExecStart=\/usr\/bin\/env weft (.*)$/m.exec(UNIT)![1]!.split(" ")],
  ])("%s starts weft with words that it takes", async (_, words) => {
    let ran: readonly string[] = [];
    const program = buildProgram({ out: () => undefined, err: () => undefined }, async ({ name }) => {
      ran = name;
    });
    await program.parseAsync([...words], { from: "user" });
    expect([instruction("ENTRYPOINT"), ran]).toEqual([["weft"], ["run"]]);
  });

  it.each(["Dockerfile", "compose.yaml", "kubernetes.yaml", "weft.service"])(
    "%s sets variables of weft only",
    (name) => {
      const known = new Set(["WEFT_CACHE", ...COMMANDS.flatMap(({ options }) => options.map(environmentName))]);
      const named = [...text(name).matchAll(/\bWEFT_[A-Z_]+/g)].map(([variable]) => variable);
      expect(named.filter((variable) => !known.has(variable))).toEqual([]);
    },
  );

  it("runs nobody as root, and leaves a peer nothing to write but its data", () => {
    expect(DOCKERFILE.lastIndexOf("USER 10001")).toBeGreaterThan(DOCKERFILE.lastIndexOf("RUN "));
    expect(COMPOSE.services.peer).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
    expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
    expect(statefulSet.spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10_001 });
    for (const line of ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"]) expect(UNIT).toContain(line);
  });

  it("opens the port that the peer listens at, and UDP only where a relay or QUIC would use it", () => {
    const commands = [instruction("CMD"), COMPOSE.services.peer.command, container.args] as readonly string[][];
    for (const words of commands) expect(words.join(" ")).not.toMatch(/--relay|quic|udp/);
    const port = Number(instruction("CMD").at(-1));
    expect(/^EXPOSE (.*)$/m.exec(DOCKERFILE)?.[1]).toBe(`${port}/tcp`);
    const opened = (ports: readonly { protocol: string; port?: number; containerPort?: number }[]) =>
      ports.map(({ protocol, port: one, containerPort = one }) => [protocol, containerPort]);
    expect(opened(service.spec.ports)).toEqual([["TCP", port]]);
    expect(opened(container.ports)).toEqual([["TCP", port]]);
    const published = (COMPOSE.services.peer.ports as string[]).filter((one) => one.includes(String(port)));
    expect(published).toEqual([`${port}:${port}/tcp`]);
    const operations = readFileSync(join(folder, "../docs/OPERATIONS.md"), "utf8");
    expect(operations).toContain("the files of `deploy/` open none");
  });

  it("names files that are there, and exit codes that weft ends with", () => {
    const mounted = ["prometheus", "grafana"].flatMap((name) => COMPOSE.services[name].volumes as string[]);
    const given = mounted.map((one) => one.split(":")[0]!).filter((path) => /^\.\.?\/.*\.(yml|json)$/.test(path));
    expect(given.length).toBeGreaterThan(3);
    for (const path of given) expect(existsSync(join(folder, path)), path).toBe(true);
    const codes = /^RestartPreventExitStatus=(.*)$/m.exec(UNIT)![1]!.split(" ").map(Number);
    for (const code of codes) expect(EXIT_CODES.map(([one]) => one)).toContain(code);
  });

  it.each(HEALTH)("%s tells a peer that is well from one that is not", async (_, [command, flag, program]) => {
    expect([command, flag]).toEqual(["node", "-e"]);
    let status = 200;
    const asked: string[] = [];
    const server = createServer(({ url }, answer) => {
      asked.push(url ?? "");
      answer.writeHead(status).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const check = async (): Promise<unknown> => {
      const run = promisify(execFile)(process.execPath, ["-e", program!.replace("4100", String(port))]);
      return run.then(() => 0).catch(({ code }: { code: number }) => code);
    };
    expect(await check()).toBe(0);
    status = 503;
    expect(await check()).toBe(1);
    await new Promise((done) => server.close(done));
    expect(await check()).toBe(1);
    expect(asked[0]).toMatch(/^\/(liveness|readiness)$/);
  });

  it("systemd takes the unit and finds little to reproach", (test) => {
    const copy = mkdtempSync(join(tmpdir(), "weft-unit-"));
    copyFileSync(join(folder, "weft.service"), join(copy, "weft.service"));
    const analyze = (...words: string[]) =>
      spawnSync("systemd-analyze", [...words, join(copy, "weft.service")], { encoding: "utf8" });
    const verified = analyze("verify");
    const security = analyze("security", "--offline=true", "--threshold=20");
    rmSync(copy, { recursive: true });
    if (verified.error) return test.skip("systemd-analyze is not here");
    expect([verified.status, verified.stderr]).toEqual([0, ""]);
    expect(security.status, security.stdout).toBe(0);
  });
});
