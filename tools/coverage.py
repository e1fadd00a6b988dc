#!/usr/bin/env python3
"""Measures how many branches of its decoder each fuzz corpus reaches: the table of docs/fuzzing.md.

Usage: coverage.py BUILD [--missed | --write] [TARGET]...
BUILD is a build folder with clang's coverage mapping.  The table in docs/fuzzing.md says which files
a target is for; a file may be followed by names of functions in brackets, when only these are, or by
"not" and names of functions, when these are not.
Both ways of a branch count.  Not counted are what stands in KL_ASSERT, as no input may fail one, and
what KL_TRY, KL_TAKE and KL_ZERO add, which only a failing machine takes.  Exit 1 when a target reaches less than WANTED or the document's figures are not those measured; --missed lists
the branches that were not reached, --write puts the figures into the document."""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "fuzzing.md"
ROW = re.compile(r"^\| `(\w+_fuzz)` \| (.+?) \| *(\d+) of (\d+) *\|")
WANTED = 90
ASSERTS = re.compile(r"(KL_ASSERT|KL_UNREACHABLE)\b")
MACHINE = re.compile(r"(KL_TRY|KL_TRY_HOST|KL_TAKE|KL_ZERO)\b")


def rows():
    """(target, {file: (functions, whether they are those left out)}, figures in the document)"""
    for line in TABLE.read_text().splitlines():
        hit = ROW.match(line)
        if hit:
            files = {}
            for path, but, names in re.findall(r"`([\w/]+\.[ch])`(?: \((not )?([\w, ]+)\))?", hit[2]):
                files[ROOT / "src" / path] = (set(names.split(", ")) if names else set(), bool(but or not names))
            yield hit[1], files, (int(hit[3]), int(hit[4]))


def export(build, target, files):
    """Runs the corpus through the target; the functions it knows, as llvm-cov tells them."""
    raw, merged = build / f"{target}.profraw", build / f"{target}.profdata"
    subprocess.run([build / target, ROOT / "tests" / "corpus" / target], check=True,
                   stdout=subprocess.DEVNULL, env=dict(os.environ, LLVM_PROFILE_FILE=str(raw)))
    subprocess.run(["llvm-profdata-14", "merge", "-sparse", raw, "-o", merged], check=True)
    out = subprocess.check_output(["llvm-cov-14", "export", build / target, "-instr-profile", merged, *files])
    return json.loads(out)["data"][0]["functions"]


def left_out(function, lines):
    """The places ((line, column), (line, column)) of assertions in a function, and the file ids of
    macro expansions whose branches do not count."""
    places, inside, parent = [], set(), {}
    for l1, c1, l2, c2, _, file, expanded, kind in function["regions"]:
        if kind == 1:
            parent[expanded] = file
            text = lines[l1 - 1][c1 - 1:] if file == 0 else ""
            if ASSERTS.match(text) or MACHINE.match(text):
                inside.add(expanded)
            if ASSERTS.match(text):
                places.append(((l1, c1), closing(lines, l2, c2)))
    for child in sorted(parent):
        at = child
        while at in parent and at not in inside:
            at = parent[at]
        if at in inside:
            inside.add(child)
    return places, inside


def closing(lines, line, column):
    """Where the bracket closes that opens at or after a place (both count from 1)."""
    depth, at = 0, column - 1
    while line <= len(lines):
        for i in range(at, len(lines[line - 1])):
            depth += {"(": 1, ")": -1}.get(lines[line - 1][i], 0)
            if depth == 0 and lines[line - 1][i] == ")":
                return line, i + 1
        line, at = line + 1, 0
    return line, 1


def branches(function, lines):
    """(line, way, reached) of each way of each branch of a function."""
    places, inside = left_out(function, lines)
    home = {0: None}
    for l1, _, _, _, _, file, expanded, kind in function["regions"]:
        if kind == 1:
            home[expanded] = (file, l1)
    for l1, c1, l2, c2, yes, no, file, *_ in function["branches"]:
        if file in inside or (file == 0 and any(a <= (l1, c1) <= b for a, b in places)):
            continue
        at, line = file, l1
        while home.get(at):
            at, line = home[at]
        yield line, "true", yes > 0
        yield line, "false", no > 0


def measure(build, target, files):
    reached, total, missed = 0, 0, []
    text = {str(path): path.read_text().splitlines() for path in files}
    for function in export(build, target, list(map(str, files))):
        path = os.path.normpath(function["filenames"][0])
        name = function["name"].split(":")[-1]
        names, but = files.get(pathlib.Path(path), (set(), False))
        if (name in names) == but:
            continue
        for line, way, hit in branches(function, text[path]):
            total, reached = total + 1, reached + hit
            if not hit:
                missed.append(f"{os.path.relpath(path, ROOT)}:{line}: {name}: never {way}: {text[path][line - 1].strip()}")
    return reached, total, missed


def main():
    build = pathlib.Path(sys.argv[1])
    names = [name for name in sys.argv[2:] if not name.startswith("--")]
    bad = False
    for target, files, told in rows():
        if names and target not in names:
            continue
        reached, total, missed = measure(build, target, files)
        enough, same = reached * 100 >= WANTED * total > 0, (reached, total) == told
        bad |= not enough or not same
        print(f"{target:22} {reached:5} of {total:5} {reached * 100 / max(total, 1):6.1f} %"
              f"{'' if enough else '   too few'}{'' if same else f'   docs: {told[0]} of {told[1]}'}")
        if missed and "--missed" in sys.argv:
            print("\n".join("    " + line for line in missed))
        if "--write" in sys.argv and not same:
            TABLE.write_text(re.sub(rf"(?m)^(\| `{target}` \| .+? \|) .*$", rf"\1 {reached} of {total} |",
                                    TABLE.read_text()))
    sys.exit(bad)


if __name__ == "__main__":
    main()
