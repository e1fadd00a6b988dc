#!/usr/bin/env python3
"""Checks that documents agree with the tree: every link leads somewhere, every source is named in its
layer's page of docs/internals, so that a page is a whole map of its folder, every test that
docs/operators.md rests on is there, soak's rows and attacks among them, and what others have published
stands beside Keel's figures."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
SOURCE = re.compile(r"src/(\w+)/(\w+)\.(?:c|h|def)$")
# What only tests are made of, and what a layer keeps to itself beside a source that is named.
UNNAMED = re.compile(r"(_test|_fuzz|_bench|_priv|_rig|_twin|_contract)$|^(fake|fault)|^test")
# Layers that share a page.
PAGES = {"sim": "sys", "lmdb": "store"}


def anchors(page):
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def check_links(page):
    for path, anchor in LINK.findall(page.read_text()):
        if "://" in path:
            continue
        to = (page.parent / path).resolve() if path else page
        if not to.exists():
            yield f"{page.relative_to(ROOT)}: link to {path}, which is not there"
        elif anchor and anchor not in anchors(to):
            yield f"{page.relative_to(ROOT)}: link to #{anchor}, which {path} does not have"


def check_names(files):
    for file in files:
        source = SOURCE.match(file)
        if not source or UNNAMED.search(source[2]):
            continue
        page = ROOT / "docs/internals" / f"{PAGES.get(source[1], source[1])}.md"
        if page.exists() and not re.search(rf"(?<!\w){source[2]}(?!\w)", page.read_text()):
            yield f"{file}: {page.relative_to(ROOT)} does not name it"


def theme_text(theme):
    """A program of tests/e2e, with its constants put into its names of tests."""
    file = ROOT / f"tests/e2e/{theme}.ts"
    text = file.read_text() if file.exists() else ""
    numbers = {name: value.replace("_", "") for name, value in re.findall(r"^const (\w+) = ([\d_]+);", text, re.M)}
    return re.sub(r"\$\{(\w+)\}", lambda m: numbers.get(m[1], m[0]), text)


def check_tests(page):
    """Names of tests, in code, and programs of tests/e2e, with names of tests there or of attacks,
    that a page of promises rests on."""
    attacks = set(re.findall(r'^EVIL_\w+\("([\w-]+)"', (ROOT / "src/evil/attack.def").read_text(), re.M)) | {"every attack"}
    sources = [p.read_text() for p in (ROOT / "src").rglob("*_test.c")]
    there = set(re.findall(r"KL_TEST\((\w+)\)", "".join(sources)))
    for cell in re.findall(r"^\|.*\| (.*) \|$", page.read_text(), re.M):
        for name in re.findall(r"`(\w+)`", cell):
            if name not in there:
                yield f"{page.relative_to(ROOT)}: test {name} is not there"
        for theme, names in re.findall(r"\*(?:e2e/)?(\w+)\*(?:: (.*?)(?=, [*`]|$))?", cell):
            text = theme_text(theme)
            if not text:
                yield f"{page.relative_to(ROOT)}: theme {theme} is not there"
            elif names not in text and not set(names.split(", ")) <= attacks:
                yield f"{page.relative_to(ROOT)}: {theme} has no test named {names}"


def check_published():
    """What `keel bench consensus` quotes of others stands beside Keel's figures, row by row."""
    rows = [line.split("|") for line in (ROOT / "docs/benchmarks.md").read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows]
    table = (ROOT / "src/cli/bench_published.def").read_text()
    quoted = re.findall(r'KL_PUBLISHED\("(.*?)",\s*"(.*?)",\s*"(.*?)"\)', table)
    for quote in quoted:
        if not any(row[:3] == list(quote) and len(row) == 4 and re.search(r"\d", row[3]) for row in cells):
            yield f"docs/benchmarks.md: no row has Keel's figure beside: {', '.join(quote)}"
    for who in ("CometBFT", "Commonware"):
        if not any(who in quote[0] for quote in quoted):
            yield f"src/cli/bench_published.def: nothing of {who}"


def main():
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")
    pages = [f for f in files if f.endswith(".md") and not f.startswith("tests/corpus/")]
    faults = [fault for page in pages for fault in check_links(ROOT / page)]
    faults += check_names(files)
    faults += check_published()
    faults += check_tests(ROOT / "docs/operators.md")
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
