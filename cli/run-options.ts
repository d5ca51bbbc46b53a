/** The flags of `weft run`, and the peer that they ask for. */
import { availableParallelism } from "node:os";
import {
  type EngineOptions,
  type ExampleSets,
  type LogLevel,
  type LogModule,
  type ManifestAndModel,
  modelDoor,
  type PeerOptions,
  trainingDoor,
} from "../node/index.ts";
import { baseLine, memoryLine } from "./base-line.ts";
import { type DataFlags, dataNote, dataOptions } from "./data-options.ts";
import { engineOf } from "./engine-flags.ts";
import { modelDirectory } from "./model-directory.ts";
import type { Part } from "./option-value.ts";
import { type PrivacyOptions, privacySettings, refuseIdleSketchNoise } from "./privacy-options.ts";
import { type ReachFlags, reachOf } from "./reach-options.ts";
import type { Terminal } from "./terminal.ts";
import { traceTarget } from "./trace-options.ts";

/** What the flags of `weft run` may say. */
export type RunOptions = PrivacyOptions &
  ReachFlags &
  DataFlags &
  EngineOptions & {
    readonly dataDir?: string;
    readonly network?: string;
    readonly model?: string;
    readonly split?: string;
    readonly part?: Part;
    readonly bootstrap?: readonly string[];
    readonly compareAlone?: boolean;
    readonly hold?: boolean;
    readonly serve?: boolean;
    readonly events?: boolean;
    readonly json?: boolean;
    readonly format?: "jsonl";
    readonly logLevel?: LogLevel;
    readonly logModule?: readonly (readonly [LogModule, LogLevel])[];
    readonly admin?: string;
    readonly page?: boolean;
    readonly canBeCutOff?: boolean;
    readonly trace?: string;
  };

/** Events are said in words, or as lines of JSON on standard output: in the log on standard error they would stand twice. */
const EVENTS_IN_WORDS = { events: "silent" } as const;

/** A peer by its flags.  Throws: NodeError CONFIG_INVALID for flags that contradict each other. */
export function peerOptions(options: RunOptions, dataDirectory: string, terminal: Terminal): PeerOptions {
  const { network, model, bootstrap, sketchNoise, logLevel, logModule } = options;
  const privacy = privacySettings(options);
  const engine = engineOf(options, { threads: availableParallelism() });
  const trace = traceTarget(options, terminal);
  return {
    dataDirectory,
    ...(network !== undefined && { network }),
    ...(model !== undefined && { modelDirectory: modelDirectory(model) }),
    data: async (underManifest) => {
      refuseIdleSketchNoise(options, underManifest.manifest);
      const { loadPeerExamples, requireDemonstration } = await trainingDoor();
      if (options.data === undefined) requireDemonstration(underManifest);
      const loaded = await loadPeerExamples(dataOf(options), underManifest, dataDirectory);
      for (const note of loaded.modelNotes ?? []) terminal.err(`${note}\n`);
      for (const note of loaded.notes ?? []) terminal.err(dataNote(note));
      await tellMemory(underManifest, loaded.sets, engine, terminal);
      return loaded;
    },
    ...reachOf(options, ""),
    bootstrap: bootstrap ?? [],
    ...(options.hold && { startWhen: terminal.nextLine() }),
    compareAlone: options.compareAlone ?? false,
    serve: options.serve ?? false,
    engine,
    ...(privacy && { privacy }),
    ...(sketchNoise !== undefined && { sketchNoise }),
    logLevel: logLevel ?? "warn",
    logModules: { ...EVENTS_IN_WORDS, ...Object.fromEntries(logModule ?? []) },
    ...(trace && { trace }),
    keepsLog: true,
  };
}

/** The base, and the memory that training takes under a manifest.  Throws: CONFIG_INVALID where it will not fit. */
async function tellMemory(
  { manifest, modelDirectory: directory }: ManifestAndModel,
  data: ExampleSets,
  own: EngineOptions,
  terminal: Terminal,
): Promise<void> {
  const { agreedEngine, baseIdentity, trainingMemory } = await trainingDoor();
  const engine = agreedEngine(own, manifest.base);
  const { adapter, training } = manifest;
  const memory = trainingMemory({ modelDirectory: directory, adapter, training, data, engine });
  terminal.err(`${memoryLine(memory, engine)}\n`);
  if (engine.base === undefined || engine.base === "f32") return;
  const { openModel } = await modelDoor();
  const { model, files } = openModel(directory);
  terminal.err(`${baseLine(baseIdentity(model, files, engine.base))}\n`);
}

const dataOf = ({ split, part, ...options }: RunOptions) => ({
  ...dataOptions(options),
  ...(split !== undefined && { split }),
  ...(part !== undefined && { part }),
});
