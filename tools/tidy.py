#!/usr/bin/env python3
"""House rules that a text search can check (STYLE.md).  Prints file:line: what; exit 1 if any."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 900
FUNCTION_LINES_MAX = 110
# What an interpreter, a table or a parser of options may need beyond that.
LONG_FUNCTIONS = {"run", "main"}
BANNED = {
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|atoi|atol|rand|srand)\s*\(": "banned call",
    r"\b(setjmp|longjmp)\s*\(": "setjmp is for the test harness",
    r"\b(TODO|FIXME|XXX|HACK)\b": "unfinished work belongs in an issue",
    r"\t": "tab",
    r"[ \t]+$": "trailing blank",
    r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff]": "invisible character",
}
EXEMPT = {("src/base/test_main.c", "setjmp is for the test harness")}
THREADS = re.compile(r"\bpthread_|<stdatomic\.h>|<threads\.h>|\batomic_")
# Layers that may hold threads, locks or atomics of their own; the others use base/sync.h.
THREAD_LAYERS = {"base", "sys", "sim", "store", "lmdb", "host", "rpc", "node", "cli"}


def tracked(*patterns):
    out = subprocess.check_output(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard",
                                   *patterns], text=True)
    return [ROOT / line for line in out.splitlines() if (ROOT / line).is_file()]


def long_functions(lines):
    """(first line, length, name) of functions longer than the limit, by the house layout: a function's
    braces stand alone in column 0."""
    start = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start:
            if n - start > FUNCTION_LINES_MAX:
                head = " ".join(lines[max(0, start - 4):start - 1])
                name = re.findall(r"(\w+)\s*\(", head)
                yield start, n - start, name[-1] if name else "?"
            start = None


def check(path):
    rel = path.relative_to(ROOT).as_posix()
    layer = rel.split("/")[1]
    text = path.read_text()
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at end of file"
    if len(lines) > FILE_LINES_MAX:
        yield 1, f"{len(lines)} lines; would it be clearer as two nouns?"
    for n, line in enumerate(lines, 1):
        if len(line) > 100 and path.suffix != ".def":
            yield n, "over 100 columns"
        for pattern, what in BANNED.items():
            if re.search(pattern, line) and (rel, what) not in EXEMPT:
                yield n, what
        if THREADS.search(line) and layer not in THREAD_LAYERS and not rel.endswith("_test.c"):
            yield n, "threads and atomics stay out of this layer"
    if rel.endswith(".c"):
        for n, length, name in long_functions(lines):
            if name not in LONG_FUNCTIONS:
                yield n, f"function {name} has {length} lines"
    if rel.endswith(".h") and not re.search(r"^#ifndef KL_\w+_H\n#define", text, re.M):
        yield 1, "no include guard KL_LAYER_NAME_H"


def in_no_build(paths):
    built = "".join(p.read_text() for p in tracked("*meson.build"))
    for path in paths:
        if path.suffix == ".c" and f"'{path.name}'" not in built and f"/{path.name}'" not in built:
            yield f"{path.relative_to(ROOT)}:1: in no meson.build"


def main():
    paths = tracked("src/*.c", "src/*.h", "src/*.def")
    bad = [f"{p.relative_to(ROOT)}:{n}: {what}" for p in paths for n, what in check(p)]
    bad += in_no_build(paths)
    if bad:
        print("\n".join(bad))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
