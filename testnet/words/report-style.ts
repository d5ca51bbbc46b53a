/** The report's style sheet: one column, light or dark as the reader's system says. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --faint: #5b6470; --line: #d5dae0; --panel: #f5f7f9; --alarm: #b3261e;
  --base: #8a929c; --alone: #b35c00; --swarm: #0062b1; --central: #5b7f2a;
  --train: #0062b1; --network: #b35c00; --aggregate: #3d7a37; --other: #8a929c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e7eaee; --faint: #a3adb8; --line: #363c44; --panel: #1d2126; --alarm: #ff8a80;
    --base: #8b95a1; --alone: #ffa94d; --swarm: #63b3ff; --central: #a3c76d;
    --train: #63b3ff; --network: #ffa94d; --aggregate: #7ccf73; --other: #8b95a1;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .4rem 0; max-width: 50rem; }
.faint { color: var(--faint); }
.alarm { color: var(--alarm); font-weight: 600; }
code, pre { font: .85em/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--panel); padding: .75rem; overflow: auto; max-height: 30rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .25rem 0; }
th, td { padding: .2rem .45rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: 600; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--faint); }
.bars { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem 2rem; }
.bar { display: grid; grid-template-columns: 4rem 1fr 4.5rem; align-items: center; gap: .5rem; font-size: .9rem; }
.bar .track { background: var(--panel); height: .9rem; }
.bar .fill { display: block; height: 100%; }
.bar .number { text-align: right; font-variant-numeric: tabular-nums; }
.fill.base { background: var(--base); } .fill.alone { background: var(--alone); } .fill.swarm { background: var(--swarm); } .fill.central { background: var(--central); }
.headline { font-size: 1.25em; font-weight: 600; }
.stack { display: flex; height: 1.1rem; background: var(--panel); }
.stack span { display: block; height: 100%; }
.train { background: var(--train); } .network { background: var(--network); }
.aggregate { background: var(--aggregate); } .other { background: var(--other); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: .5rem 0; list-style: none; font-size: .9rem; }
.legend .key { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; vertical-align: -.05rem; }
.chart { margin: .75rem 0; }
.uplot, .u-legend { font: inherit; font-size: .85rem; }
.u-legend th, .u-legend td { border: 0; padding: .1rem .35rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
`;
