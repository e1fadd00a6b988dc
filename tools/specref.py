#!/usr/bin/env python3
"""Writes docs/spec-coverage.md from the tags in the sources: [EIP-2929], [YP section 4.1], [RFC 6455].

Usage: specref.py [--check]
A tag stands beside the line that implements what it names.  With --check nothing is written: exit 1
when the page is not what it should be, or an EIP of a fork that Keel has is tagged nowhere."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "spec-coverage.md"
TAG = re.compile(r"\[((?:EIP-\d|YP |RFC \d|BIP-|SEC )[^\]]*)\]")
BARE = re.compile(r'"((?:EIP-\d|YP )[^"]*)"')  # the source column of rule.def
EIP = re.compile(r"\b(?:EIP-)?(\d{1,4})\b")

# The EIPs of every fork that change what a block or transaction means.
FORKS = {
    "Homestead": [2, 7], "Tangerine Whistle": [150], "Spurious Dragon": [155, 160, 161, 170],
    "Byzantium": [100, 140, 196, 197, 198, 211, 214, 649, 658],
    "Constantinople": [145, 1014, 1052, 1234], "Istanbul": [152, 1108, 1344, 1884, 2028, 2200],
    "Muir, Arrow and Gray Glacier": [2384, 4345, 5133], "Berlin": [2565, 2718, 2929, 2930],
    "London": [1559, 3198, 3529, 3541, 3554], "Paris": [3675, 4399],
    "Shanghai": [3651, 3855, 3860, 4895], "Cancun": [1153, 4788, 4844, 5656, 6780, 7516],
    "Prague": [2537, 2935, 6110, 7002, 7251, 7623, 7685, 7691, 7702, 7840],
    "Osaka": [7594, 7823, 7825, 7883, 7892, 7918, 7934, 7939, 7951],
    "all forks": [684, 2681, 3607, 7610],
}


def sources():
    out = subprocess.check_output(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard",
                                   "src/*.c", "src/*.h", "src/*.def"], text=True)
    return sorted(set(out.split()))


def names(tag):
    """The specifications one tag names: "EIP-649, 1234" is two."""
    if tag.startswith("EIP-"):
        return [f"EIP-{n}" for n in EIP.findall(re.sub(r"section [\d.]+", "", tag))]
    return [re.sub(r"[;,].*", "", tag).strip()]


def places():
    """{specification: ({file that implements it}, {file that tests it})}."""
    found = {}
    for file in sources():
        text = (ROOT / file).read_text()
        tags = TAG.findall(text) + (BARE.findall(text) if file.endswith("rule.def") else [])
        for name in {name for tag in tags for name in names(tag)}:
            test = re.search(r"_(test|fuzz|bench)\.c$|_test\.h$", file) is not None
            found.setdefault(name, (set(), set()))[test].add(file.removeprefix("src/"))
    return found


def row(name, found):
    code, tests = found.get(name, ((), ()))
    return f"| {name} | {', '.join(sorted(code))} | {', '.join(sorted(tests))} |\n"


def number(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def page(found):
    text = ("# Where the specifications are\n\nMade by `tools/specref.py` from the tags beside the lines, and checked by `make test`. "
            "Besides the tests named here, the official fixtures cover every EIP of a fork ([conformance.md](conformance.md)).\n")
    head = "| specification | where | tests that name it |\n|---|---|---|\n"
    done = set()
    for fork, eips in FORKS.items():
        text += f"\n## {fork}\n\n{head}" + "".join(row(f"EIP-{n}", found) for n in eips)
        done.update(f"EIP-{n}" for n in eips)
    rest = sorted((name for name in found if name not in done), key=number)
    for title, start in (("Other EIPs", "EIP-"), ("Yellow Paper", "YP"), ("RFCs", "RFC"),
                         ("Keys", ("BIP", "SEC"))):
        text += f"\n## {title}\n\n{head}" + "".join(row(n, found) for n in rest if n.startswith(start))
    return text


def main():
    found = places()
    missing = [f"EIP-{n}" for eips in FORKS.values() for n in eips if not found.get(f"EIP-{n}", [()])[0]]
    for name in missing:
        print(f"{name}: tagged nowhere")
    text = page(found)
    stale = not PAGE.is_file() or PAGE.read_text() != text
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif stale:
        print("docs/spec-coverage.md: not up to date (tools/specref.py)")
    sys.exit(bool(missing) or ("--check" in sys.argv and stale))


if __name__ == "__main__":
    main()
