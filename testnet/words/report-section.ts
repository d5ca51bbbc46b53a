/** The parts of the report that need no script: summary, bars, times, verdicts, manifest. */
import type { Score } from "../../node/index.ts";
import { forgettingRows, formatPoints } from "./forgetting-table.ts";
import { type Html, html } from "./html.ts";
import { type CentralScores, idOf, isWorseOff, type TestnetPeer, type TestnetResult, totalsOf } from "./result.ts";
import { verdictSentences } from "./summary.ts";
import { formatBytes, formatLoss, formatSeconds, formatShare } from "./text-table.ts";
import { formatWay, shareOfWay, waySentence } from "./way.ts";

/** What was run, and in words what came of it. */
export function summarySection(result: TestnetResult): Html {
  const { network, manifest, peers, data, startedAt, seconds } = result;
  const finished = peers.filter(({ view }) => view.report !== undefined).length;
  const way = waySentence(result);
  const isAlarming = (sentence: string): boolean => /WORSE|before it had finished|interrupted/.test(sentence);
  return html`<h1>weft: a testnet of ${peers.length} peers, ${manifest.rounds.count} rounds</h1>
${way && html`<p class="headline">${way}</p>`}
<p class="faint">${startedAt}, ${formatSeconds(seconds)} in all, ${finished} of ${peers.length} peers finished</p>
${verdictSentences(result).map((sentence) => html`<p class="${isAlarming(sentence) ? "alarm" : ""}">${sentence}</p>`)}
<dl>
<dt>network</dt><dd><code>${network}</code></dd>
<dt>data</dt><dd>${data}</dd>
<dt>local steps</dt><dd>${manifest.rounds.localSteps} per round, ${manifest.rounds.count * manifest.rounds.localSteps} in all, in the swarm and alone</dd>
</dl>`;
}

/** The table of all scores, and a group of bars per peer. */
export function scoreSection({ peers, central }: TestnetResult): Html {
  const scored = peers.filter(({ view }) => view.report !== undefined);
  const centralOf = (peer: TestnetPeer): Central | undefined => central?.peers[peers.indexOf(peer)];
  const lossMax = Math.max(0, ...scored.flatMap((peer) => scoresOf(peer).map(([, score]) => score.loss)));
  return html`<h2>Held-out loss and accuracy</h2>
<p>On examples that this peer was not trained on: of the frozen base model, after training alone with exactly as many local
steps on the same data, and after training in the swarm; central is one training with everybody's data and everybody's steps,
which no swarm could be expected to beat. Way: how much of the way from alone to central the swarm went. Loss in nats per response token (lower is better), accuracy
as the share of response tokens predicted exactly (higher is better).</p>
<div class="scroll"><table><caption>Held-out scores per peer</caption>
<thead><tr><th scope="col">peer</th><th scope="col">base loss</th><th scope="col">alone loss</th><th scope="col">swarm loss</th><th scope="col">swarm − alone</th><th scope="col">central loss</th><th scope="col">way</th><th scope="col">base accuracy</th><th scope="col">alone accuracy</th><th scope="col">swarm accuracy</th><th scope="col">examples</th></tr></thead>
<tbody>${peers.map((peer) => scoreRow(peer, centralOf(peer)))}</tbody></table></div>
<ul class="legend">${["base", "alone", "swarm", ...(central ? ["central"] : [])].map((kind) => html`<li><span class="key fill ${kind}"></span>${kind}</li>`)}</ul>
<div class="bars">${scored.map((peer) => barGroup(peer, lossMax, centralOf(peer)))}</div>`;
}

/** psi of each peer and task. */
export function forgettingSection({ peers }: TestnetResult): Html {
  const rows = forgettingRows(peers.map(({ name, view }) => ({ name, forgetting: view.forgetting })));
  return html`<h2>Forgetting</h2>
<p>How far each peer's scores on its validation set are behind the best that they were after any round: psi = best accuracy
so far − accuracy now, and likewise loss now − lowest loss so far. 0 is nothing forgotten.</p>
<div class="scroll"><table><caption>Forgetting after the last round</caption>
<thead><tr><th scope="col">peer</th><th scope="col">task</th><th scope="col">accuracy</th><th scope="col">loss</th></tr></thead>
<tbody>${rows.map(({ peer, task, loss, accuracy }) => html`<tr><th scope="row">${peer}</th><td>${task}</td><td>${formatPoints(accuracy)}</td><td>${formatLoss(loss)}</td></tr>`)}</tbody></table></div>`;
}

/** Where each peer's time went. */
export function timeSection({ peers }: TestnetResult): Html {
  const longest = Math.max(1e-9, ...peers.map(({ view }) => totalsOf(view).seconds.total));
  return html`<h2>Where the time went</h2>
<p>Wall time of the rounds: training, network (publishing, waiting for updates, fetching them) and aggregation.</p>
<ul class="legend">${(["train", "network", "aggregate", "other"] as const).map((kind) => html`<li><span class="key ${kind}"></span>${kind}</li>`)}</ul>
${peers.map(({ name, view }) => {
  const { train, network, aggregate, total } = totalsOf(view).seconds;
  const other = Math.max(0, total - train - network - aggregate);
  const parts = { train, network, aggregate, other };
  const label = Object.entries(parts).map(([kind, seconds]) => `${kind} ${formatSeconds(seconds)}`);
  return html`<h3>${name}: ${formatSeconds(total)}</h3>
<div class="stack" role="img" aria-label="${label.join(", ")}">${Object.entries(parts).map(([kind, seconds]) => html`<span class="${kind}" style="width:${percent(seconds / longest)}"></span>`)}</div>
<p class="faint">${label.join(", ")}</p>`;
})}`;
}

/** Bytes on the wire and what became of the updates that came in. */
export function trafficTable({ peers }: TestnetResult): Html {
  return html`<div class="scroll"><table><caption>Traffic and verdicts on updates, all rounds together</caption>
<thead><tr><th scope="col">peer</th><th scope="col">sent</th><th scope="col">received</th><th scope="col">one update</th><th scope="col">updates accepted</th><th scope="col">ignored</th><th scope="col">rejected</th><th scope="col">local steps skipped</th></tr></thead>
<tbody>${peers.map(({ name, view }) => {
    const { bytes, updates } = totalsOf(view);
    const skipped = view.rounds.reduce((sum, { stepsSkipped }) => sum + stepsSkipped, 0);
    const sent = view.rounds.map(({ updateBytes }) => updateBytes).filter((size) => size > 0);
    // With the largest changes only, updates differ in size.
    const mean =
      sent.length === 0 ? "–" : formatBytes(Math.round(sent.reduce((sum, size) => sum + size, 0) / sent.length));
    return html`<tr><th scope="row">${name}</th><td>${formatBytes(bytes.sent)}</td><td>${formatBytes(bytes.received)}</td><td>${mean}</td><td>${updates.accepted}</td><td>${updates.ignored}</td><td>${updates.rejected}</td><td>${skipped}</td></tr>`;
  })}</tbody></table></div>`;
}

/** Who took part, and what they had agreed on. */
export function settingsSection({ peers, manifest }: TestnetResult): Html {
  return html`<h2>Peers</h2>
<dl>${peers.map((peer) => html`<dt>${peer.name}</dt><dd><code>${idOf(peer)}</code>, ${peer.view.state}${peer.view.examples && html`, ${peer.view.examples.train} examples to train on, ${peer.view.examples.validation} to validate, ${peer.view.examples.test} to test`}</dd>`)}</dl>
${peers.map(({ name, exit }) => exit && html`<h3>Last lines of ${name}</h3><pre>${exit.lastLines.join("\n")}</pre>`)}
<h2>What the peers had agreed on</h2>
<p>The network's manifest as it was in effect; the network id is the hash of its canonical form.</p>
<details open><summary>manifest</summary><pre>${JSON.stringify(manifest, null, 2)}</pre></details>`;
}

function scoresOf({ view: { report } }: TestnetPeer): [string, Score][] {
  if (!report) return [];
  return [
    ["base", report.base],
    ...(report.alone ? [["alone", report.alone] as [string, Score]] : []),
    ["swarm", report.swarm],
  ];
}

type Central = CentralScores["peers"][number];

function scoreRow(peer: TestnetPeer, central: Central | undefined): Html {
  const { report, examples } = peer.view;
  // Of the losses as they are printed, so that the three columns agree.
  const difference = Number(formatLoss(report?.swarm.loss)) - Number(formatLoss(report?.alone?.loss));
  const accuracy = (score: Score | undefined): string => (score ? formatShare(score.accuracy) : "–");
  const way =
    report?.alone && central
      ? shareOfWay({ alone: report.alone.loss, swarm: report.swarm.loss, central: central.loss })
      : undefined;
  return html`<tr><th scope="row">${peer.name}</th><td>${formatLoss(report?.base.loss)}</td><td>${formatLoss(report?.alone?.loss)}</td><td>${formatLoss(report?.swarm.loss)}</td><td class="${isWorseOff(peer) ? "alarm" : ""}">${Number.isNaN(difference) ? "–" : signed(difference)}${isWorseOff(peer) && " worse"}</td><td>${formatLoss(central?.loss)}</td><td>${formatWay(way)}</td><td>${accuracy(report?.base)}</td><td>${accuracy(report?.alone)}</td><td>${accuracy(report?.swarm)}</td><td>${examples ? examples.train : "–"}</td></tr>`;
}

function barGroup(peer: TestnetPeer, lossMax: number, central: Central | undefined): Html {
  const scores: [string, Central][] = [
    ...scoresOf(peer),
    ...(central ? [["central", central] as [string, Central]] : []),
  ];
  return html`<section><h3>${peer.name}</h3>
<p class="faint">loss</p>${scores.map(([kind, { loss }]) => bar(kind, loss / lossMax, formatLoss(loss)))}
<p class="faint">accuracy</p>${scores.map(([kind, { accuracy }]) => bar(kind, accuracy, formatShare(accuracy)))}</section>`;
}

function bar(kind: string, share: number, number: string): Html {
  return html`<div class="bar"><span>${kind}</span><span class="track" aria-hidden="true"><span class="fill ${kind}" style="width:${percent(share)}"></span></span><span class="number">${number}</span></div>`;
}

const percent = (share: number): string => `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(2)}%`;
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
