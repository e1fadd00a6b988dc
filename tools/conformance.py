"""The table of docs/conformance.md: how many cases of each official suite pass, by fork.

Tests print lines "tally: NAME: PASSED of TOTAL".  Of a test called conformance/SUITE the name is a
fork, of any other test it is a suite.  A number that falls is a failure; numbers that rise, and new
ones, are written into the table."""
import re

TALLY = re.compile(r"tally: (.+): (\d+) of (\d+)")
ROW = re.compile(r"\| `([^`]+)` \| (.*?) \| (\d+) \| (\d+) \|")
PREFIX = "conformance/"
HEAD = "| suite | fork | passed | total |\n|---|---|---|---|\n"


def tallies(test, lines):
    """{(suite, fork): (passed, total)} of one test's output."""
    found = {}
    for line in lines:
        hit = TALLY.fullmatch(line.strip())
        if hit:
            own = test.startswith(PREFIX)
            key = (test[len(PREFIX):], hit[1]) if own else (hit[1], "")
            found[key] = (int(hit[2]), int(hit[3]))
    return found


def read(text):
    return {(suite, fork): (int(passed), int(total))
            for suite, fork, passed, total in ROW.findall(text)}


def fallen(old, new):
    """What the table promises and the run did not keep; suites that did not run are not asked."""
    ran = {suite for suite, _ in new}
    for key, (passed, total) in sorted(old.items()):
        if key[0] in ran and new.get(key, (0, 0))[0] < passed:
            got = new.get(key, (0, 0))
            yield f"{key[0]} {key[1]}: {got[0]} of {got[1]} pass, docs/conformance.md has {passed} of {total}"


def write(text, table):
    """The text with its table, which ends it, replaced."""
    passed, total = (sum(n[i] for n in table.values()) for i in (0, 1))
    head = re.sub(r"\d+ of \d+ cases pass", f"{passed} of {total} cases pass", text[:text.index(HEAD)])
    rows = [f"| `{suite}` | {fork} | {n[0]} | {n[1]} |\n" for (suite, fork), n in sorted(table.items())]
    return head + HEAD + "".join(rows)


def judge(path, new):
    """Compares a run with the table at path and brings the table up to date; returns complaints."""
    text = path.read_text()
    old = read(text)
    complaints = list(fallen(old, new))
    if not complaints and new:
        fresh = write(text, {**old, **new})
        if fresh != text:
            path.write_text(fresh)
    return complaints
