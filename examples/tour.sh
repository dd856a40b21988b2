#!/usr/bin/env bash
# A tour of Model Orchestrator, offline: nothing is sent anywhere, no key is needed, and nothing is left behind.
# Usage: examples/tour.sh (with model-orchestrator on the path, or in .venv/bin after `make run`)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$PATH:$here/.venv/bin"
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
export MODEL_ORCHESTRATOR_PROVIDER=simulated MODEL_ORCHESTRATOR_DATABASE_URL="sqlite:///$folder/tour.db"

step() { printf '\n# %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

step "The cheapest model that can answer"
show model-orchestrator run "What is Python?"

step "A harder prompt needs a dearer model: look before you pay"
show model-orchestrator run "Design a distributed system" --dry-run

step "A limit it cannot keep: refused before anything is sent, with the figure that would fit"
show model-orchestrator run "Design a distributed system" --max-cost 0.01 && exit 1

step "A chain: its first model is not sure, so the next one is asked"
show model-orchestrator run "What is Erlang?" --strategy fallback --verbose

step "An ensemble: two models disagree, so a third is asked; the vote and who dissents"
show model-orchestrator run "What is 23 * 19?" --strategy ensemble --verbose

step "What each strategy would ask, and what that can cost"
show model-orchestrator compare "Compare REST and GraphQL"

step "From a pipe, as JSON"
echo "What is Rust?" | show model-orchestrator run - --json --category tour

step "Every step of it, and why"
show model-orchestrator audit trail last
show model-orchestrator runs list

step "The models, this installation, the database"
show model-orchestrator models list
show model-orchestrator doctor
show model-orchestrator selftest
show model-orchestrator db status

step "The real SDKs against a loopback server; the second call meets an overloaded provider"
model-orchestrator simulate --port 0 > address.txt 2> /dev/null &
until [ -s address.txt ]; do sleep 0.1; done
export OPENAI_API_KEY=any OPENAI_BASE_URL="$(cat address.txt)/v1"
show model-orchestrator run "What is Python?" --provider live
show model-orchestrator run "What is Python? [fault:overloaded]" --provider live && exit 1
show model-orchestrator audit trail last

step "That was the tour"
