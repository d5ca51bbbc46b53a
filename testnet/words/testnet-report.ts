/** The report of a testnet as the page shows it. */
import { counted, type ReportDocument, type ReportPeer, type ReportSentence } from "../../node/index.ts";
import { idOf, isWorseOff, type TestnetPeer, type TestnetResult, totalsOf } from "./result.ts";
import { verdictSentences } from "./summary.ts";
import { formatLoss, formatSeconds } from "./text-table.ts";
import { waySentence } from "./way.ts";

/** The document of a whole run. */
export function testnetReport(result: TestnetResult): ReportDocument {
  const { network, manifest, peers, data, startedAt, seconds, central } = result;
  const finished = peers.filter(({ view }) => view.report !== undefined).length;
  const { count, localSteps } = manifest.rounds;
  return {
    schema: "weft-report/1",
    title: `weft: a testnet of ${counted(peers.length, "peer")}, ${counted(count, "round")}`,
    headline: headline(result),
    sentences: verdictSentences(result).map(asSentence),
    about: `${startedAt}, ${formatSeconds(seconds)} in all, ${finished} of ${counted(peers.length, "peer")} finished`,
    facts: [
      ["network", network],
      ["data", data],
      ["local steps", `${localSteps} per round, ${count * localSteps} in all, in the swarm and alone`],
    ],
    peers: peers.map((peer, i) => reportPeer(peer, central?.peers[i])),
    manifest: { ...manifest },
  };
}

/** Was it worth it; or why nobody can say. */
function headline(result: TestnetResult): string {
  const way = waySentence(result);
  if (way !== undefined) return way;
  const { peers, interrupted } = result;
  if (!peers.some(({ view }) => view.rounds.length > 0)) {
    return interrupted
      ? "The run was interrupted before any round was done: there is nothing to compare."
      : "No peer has done a round: there is nothing to compare.";
  }
  if (!peers.some(({ view }) => view.report !== undefined)) {
    return interrupted
      ? "The run was interrupted before any peer had finished: whether the swarm was worth it is not known. What was learnt until then is below."
      : "No peer has finished: whether the swarm was worth it is not known.";
  }
  const unknown = "How far it went of the way is not known: nothing was trained with all data in one place.";
  return `${againstAlone(result) ?? "Whether the swarm was worth it is not known: no peer trained alone as well."} ${unknown}`;
}

/** For how many of the peers that also trained alone the swarm was better; undefined where none did. */
function againstAlone({ peers }: TestnetResult): string | undefined {
  const compared = peers.flatMap(({ view: { report } }) =>
    report?.alone ? [{ alone: report.alone.loss, swarm: report.swarm.loss }] : [],
  );
  if (compared.length === 0) return undefined;
  const better = compared.filter(({ alone, swarm }) => swarm < alone).length;
  const mean = (of: "alone" | "swarm"): string =>
    formatLoss(compared.reduce((sum, losses) => sum + losses[of], 0) / compared.length);
  const losses = `mean held-out loss: alone ${mean("alone")}, swarm ${mean("swarm")}`;
  return `The swarm was better than training alone for ${better} of ${counted(compared.length, "peer")} (${losses}).`;
}

const asSentence = (text: string): ReportSentence => ({
  text,
  isAlarm: /WORSE|before it had finished|interrupted/.test(text),
});

function reportPeer(peer: TestnetPeer, central: ReportPeer["central"]): ReportPeer {
  const { name, view, exit } = peer;
  const { report, examples, forgetting, rounds, state } = view;
  return {
    ...{ name, id: idOf(peer), state, isWorse: isWorseOff(peer) },
    ...(examples && { examples }),
    ...(report && { base: report.base, alone: report.alone, swarm: report.swarm }),
    ...(central && { central }),
    validation: {
      rounds,
      ...(view.base && { base: view.base }),
      ...(report?.aloneRounds && { alone: report.aloneRounds }),
    },
    ...(forgetting && { forgetting }),
    ...totalsOf(view),
    ...(exit && { lastLines: exit.lastLines }),
  };
}
