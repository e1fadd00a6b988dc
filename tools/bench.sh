#!/bin/sh
# Every figure of docs/benchmarks.md that is about a node: build/keel and, in the same run, Anvil.
# Usage: tools/bench.sh [RUNS]         (3)
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
keel=$top/build/keel
anvil=$top/tests/e2e/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
runs=${1:-3}
often="--block-time 1 --gas-limit 30000000000"
[ -x "$keel" ] && [ -x "$anvil" ] || { echo "build/keel or Anvil is missing: make e2e-packages all"; exit 1; }

# both WORKLOAD-AND-OPTIONS [NODE-OPTIONS]: the workload on a fresh Keel and on a fresh Anvil.
both() {
    echo "== keel bench $1 -- NODE --accounts 100 ${2:-}"
    echo "keel:"
    "$keel" bench $1 --url http://127.0.0.1:18551 -- "$keel" dev --ephemeral --port 18551 --accounts 100 ${2:-} || true
    echo "anvil:"
    "$keel" bench $1 --url http://127.0.0.1:18552 -- "$anvil" --port 18552 --accounts 100 ${2:-} || true
}

uptime
both "start --runs 21"
for kind in eth erc20 swap; do
    both "load --kind $kind --count 60000 --runs $runs" "$often"
    both "load --kind $kind --mode batch --count 40000 --runs $runs" "$often"
    both "load --kind $kind --mode sync --count 2000 --runs $runs"
done
both "load --kind erc20 --mode rate --rate 1000 --count 10000" "$often"
both "load --kind eth --count 6000 --wait 30"
both "load --kind erc20 --count 6000 --wait 30"
both "reads --runs $runs"
uptime
