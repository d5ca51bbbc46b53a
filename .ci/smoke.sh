#!/usr/bin/env bash
# Runs in a folder where the packed package was installed: the command is there and starts.
set -euo pipefail
version="$(npx --no-install weft --version)"
[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "weft --version printed: $version"; exit 1; }
echo "weft $version runs on $(node --version)"
