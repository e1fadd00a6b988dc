#!/usr/bin/env python3
"""Runs every test of a build folder and sums their last lines: 'N passed, N failed, N skipped'.

Usage: test.py BUILD [SUITE | NAME | NAME-PART]...
Each test is a program whose last line gives its counts; one that ends without such a line, or with
another exit code than its counts call for, counts as one failure.  Output of a test that passed is
kept in BUILD/test-logs, output of one that failed is shown; the sum is kept there too.  Lines starting with 'skipped: '
name what was skipped and why, and are always shown.  Lines 'tally: ' and 'left out: ' go into
docs/conformance.md."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

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
    lines = log.read_text(errors="replace").splitlines()
    hit = COUNTS.fullmatch(lines[-1].strip()) if lines else None
    counts = [int(n) for n in hit.groups()] if hit else [0, 1, 0]
    if code != 0 and counts[1] == 0:
        counts[1] = 1
    return counts, lines


def chosen(tests, words):
    """The tests that the words name: each is a suite, a test, or else a part of names."""
    suites = [{suite.split(":")[-1] for suite in test["suite"]} for test in tests]
    whole = {test["name"] for test in tests}.union(*suites)
    return [test for test, of in zip(tests, suites)
            if not words or any(word in of or word == test["name"] or
                                (word not in whole and word in test["name"]) for word in words)]


def main():
    build = pathlib.Path(sys.argv[1])
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", str(build)]))
    tests = chosen(tests, sys.argv[2:])
    logs = build / "test-logs"
    logs.mkdir(exist_ok=True)
    total = [0, 0, 0]
    tallies, left_out = {}, {}
    for test in tests:
        start = time.monotonic()
        counts, lines = run(test, build, logs / f"{test['name'].replace('/', '_')}.txt")
        total = [a + b for a, b in zip(total, counts)]
        tallies.update(conformance.tallies(test["name"], lines))
        left_out.update(conformance.left_out(lines))
        print(f"{'FAIL' if counts[1] else ' ok '} {test['name']:32} {counts[0]:6} passed"
              f" {counts[1]:3} failed {counts[2]:3} skipped {time.monotonic() - start:7.1f} s",
              flush=True)
        for line in lines if counts[1] else []:
            print("     " + line)
        for line in [] if counts[1] else lines:
            if line.startswith(("skipped: ", "left out: ")):
                print("     " + line)
    for complaint in conformance.judge(TABLE, tallies, left_out):
        print(f"FAIL {complaint}")
        total[1] += 1
    words = f"{total[0]} passed, {total[1]} failed, {total[2]} skipped"
    (logs / "sum").write_text(words + "\n")
    print(words)
    sys.exit(total[1] != 0 or total[0] == 0)


if __name__ == "__main__":
    main()
