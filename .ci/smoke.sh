#!/usr/bin/env bash
# Runs in a folder where the packed package was installed: the command is there, and two peers train together with it.
set -euo pipefail
version="$(npx --no-install weft --version)"
[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "weft --version printed: $version"; exit 1; }
npx --no-install weft testnet --peers 2 --rounds 2 --local-steps 4 --report report.html --json >testnet.json
node -e '
const { peers, rounds } = JSON.parse(fs.readFileSync("testnet.json", "utf8"));
const scored = peers.filter(({ base, alone, swarm }) => [base, alone, swarm].every((score) => score?.loss > 0));
const heard = peers.every(({ updates, bytes }) => updates.accepted > 0 && bytes.received > 0);
if (scored.length !== 2 || rounds !== 2 || !heard || fs.statSync("report.html").size < 50000) {
  console.error("the packed testnet printed:", JSON.stringify(peers));
  process.exit(1);
}'
cp "$OLDPWD"/examples/{two-peers,own-adapter,scale-kind}.mjs "$OLDPWD/examples/tasks.jsonl" .
node two-peers.mjs
node own-adapter.mjs
echo "weft $version runs and trains on $(node --version)"
