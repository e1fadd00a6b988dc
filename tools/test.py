#!/usr/bin/env python3
"""Runs every test of some build folders and sums their last lines: 'N passed, N failed, N skipped'.

Usage: test.py BUILD [SUITE | NAME | NAME-PART | -NAME]... [+ BUILD [...]...]...
As many tests run at once as there are processors, but for those that want to be alone.  Each test
is a program whose last line gives its counts; one that ends without such a line, or with another
exit code than its counts call for, counts as one failure.  Output of a test that passed is kept in
BUILD/test-logs, output of one that failed is shown; the sum is kept in those of the first BUILD.
Lines starting with 'same: ' are equal wherever a test of that name runs.
Lines starting with 'skipped: ' name what was skipped and why, and are always shown.  Lines
'tally: ' and 'left out: ' go into docs/conformance.md."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from concurrent import futures

import conformance

TABLE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "conformance.md"
COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


def run(test, build, log):
    env = dict(os.environ, **test["env"])
    with log.open("w") as out:
        try:
            code = subprocess.run(test["cmd"], stdout=out, stderr=subprocess.STDOUT, env=env,
                                  cwd=test["workdir"] or build, timeout=test["timeout"] or None).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nran past its limit of {test['timeout']} s\n")
            code = 124
        except OSError as error:
            out.write(f"cannot be run: {error}\n")
            code = 127
    lines = log.read_text(errors="replace").splitlines()
    hit = COUNTS.fullmatch(lines[-1].strip()) if lines else None
    counts = [int(n) for n in hit.groups()] if hit else [0, 1, 0]
    if code != 0 and counts[1] == 0:
        counts[1] = 1
    return counts, lines


def chosen(tests, words):
    """The tests that the words name: each is a suite, a test, or else a part of names; with a '-'
    before it, one that is left out."""
    out = {word[1:] for word in words if word.startswith("-")}
    words = [word for word in words if not word.startswith("-")]
    tests = [test for test in tests if test["name"] not in out]
    suites = [{suite.split(":")[-1] for suite in test["suite"]} for test in tests]
    whole = {test["name"] for test in tests}.union(*suites)
    return [test for test, of in zip(tests, suites)
            if not words or any(word in of or word == test["name"] or
                                (word not in whole and word in test["name"]) for word in words)]


def show(test, counts, lines, seconds, prefix):
    """What became of one test, and all it said if it failed."""
    print(f"{'FAIL' if counts[1] else ' ok '} {prefix + test['name']:32} {counts[0]:6} passed"
          f" {counts[1]:3} failed {counts[2]:3} skipped {seconds:7.1f} s", flush=True)
    for line in lines:
        if counts[1] or line.startswith(("skipped: ", "left out: ")):
            print("     " + line)


def differs(test, lines, said):
    """Complaints about what a test says to be the same in each build folder, and is not."""
    for line in lines:
        if line.startswith("same: "):
            what = line.rpartition(" ")[0]
            other = said.setdefault((test["name"], what), line)
            if line != other:
                yield f"{test['name']}: {line}; in another build folder {other}"


def run_timed(test, build, log):
    start = time.monotonic()
    counts, lines = run(test, build, log)
    return test, counts, lines, time.monotonic() - start


def run_build(build, words, prefix, said):
    """Runs the tests of one build folder that the words name; the sum of their counts."""
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", str(build)]))
    tests = chosen(tests, words)
    logs = build / "test-logs"
    logs.mkdir(exist_ok=True)
    total = [0, 0, 0]
    tallies, left_out = {}, {}

    def start(pool, test):
        return pool.submit(run_timed, test, build, logs / f"{test['name'].replace('/', '_')}.txt")

    def end(done):
        test, counts, lines, seconds = done.result()
        tallies.update(conformance.tallies(test["name"], lines))
        left_out.update(conformance.left_out(lines))
        total[:] = [a + b for a, b in zip(total, counts)]
        for complaint in differs(test, lines, said):
            print(f"FAIL {complaint}")
            total[1] += 1
        show(test, counts, lines, seconds, prefix)

    for together in (True, False):
        with futures.ThreadPoolExecutor(os.cpu_count() if together else 1) as pool:
            started = [start(pool, test) for test in tests if test["is_parallel"] == together]
            for done in futures.as_completed(started):
                end(done)
    for complaint in conformance.judge(TABLE, tallies, left_out):
        print(f"FAIL {complaint}")
        total[1] += 1
    return total


def main():
    words = sys.argv[1:]
    first = pathlib.Path(words[0])
    total = [0, 0, 0]
    said = {}
    while words:
        end = words.index("+") if "+" in words else len(words)
        build = pathlib.Path(words[0])
        prefix = "" if build == first else f"{build.name}: "
        total = [a + b for a, b in zip(total, run_build(build, words[1:end], prefix, said))]
        words = words[end + 1:]
    summary = f"{total[0]} passed, {total[1]} failed, {total[2]} skipped"
    (first / "test-logs" / "sum").write_text(summary + "\n")
    print(summary)
    sys.exit(total[1] != 0 or total[0] == 0)


if __name__ == "__main__":
    main()
