#!/usr/bin/env python3
"""Runs small loads of `keel bench` against `keel dev` and looks whether they did what they say.

Usage: run.py KEEL"""
import json
import socket
import subprocess
import sys

COUNT = 300
ACCOUNTS = 20
LOADS = [
    (["--kind", "eth"], ["--block-time", "0.2"]),
    (["--kind", "erc20", "--mode", "batch", "--batch", "7"], ["--block-time", "0.2"]),
    (["--kind", "swap", "--mode", "rate", "--rate", "2000"], ["--block-time", "0.2"]),
    (["--kind", "swap", "--mode", "sync"], []),
    (["--kind", "erc20"], []),  # a flood into automine
    (["--kind", "eth", "--runs", "2", "--connections", "3"], []),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def bench(keel, words, node):
    """The figures by name, of all JSON lines; None when the command failed."""
    port = free_port()
    command = [keel, "bench", *words, "--json", "--url", f"http://127.0.0.1:{port}", "--", keel, "dev",
               "--ephemeral", "--accounts", str(ACCOUNTS), "--port", str(port), *node]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"FAIL {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return None
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["bench"]: {name: f["median"] for name, f in line["figures"].items()} for line in lines}


def load_is_right(keel, words, node):
    found = bench(keel, ["load", "--count", str(COUNT), "--accounts", str(ACCOUNTS), *words], node)
    if found is None:
        return False
    (figures,) = found.values()
    blocks = figures["blocks"]
    right = figures["mined"] == COUNT and (blocks < COUNT if node else blocks == COUNT)
    right = right and all(figures[name] > 0 for name in ("rate", "gas", "node_cpu", "peak_memory"))
    if not right:
        print(f"FAIL {' '.join(words)}: {figures}")
    return right


def others(keel):
    reads = bench(keel, ["reads", "--seconds", "0.1", "--connections", "4"], [])
    yield reads is not None and len(reads) == 3 and all(f["rate"] > 0 for f in reads.values())
    start = bench(keel, ["start", "--runs", "2"], [])
    yield start is not None and start["start"]["first_answer"] > 0
    unheard = subprocess.run([keel, "bench", "load", "--url", f"http://127.0.0.1:{free_port()}"],
                             capture_output=True, text=True)
    yield unheard.returncode == 1 and "no answer from" in unheard.stderr


def main():
    keel = sys.argv[1]
    results = [load_is_right(keel, *row) for row in LOADS] + list(others(keel))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
