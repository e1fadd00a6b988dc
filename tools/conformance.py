"""The table of docs/conformance.md: how many cases of each official suite pass, by fork.

Tests print lines "tally: NAME: PASSED of TOTAL".  Of a test called conformance/SUITE the name is a
fork, of any other test it is a suite.  A number that falls is a failure; numbers that rise, and new
ones, are written into the table.  Lines "left out: SUITE: COUNT: WHY" name cases that cannot be run;
they make a table of their own, and one more of them is a failure."""
import re

TALLY = re.compile(r"tally: (.+): (\d+) of (\d+)")
ROW = re.compile(r"\| `([^`]+)` \| (.*?) \| (\d+) \| (\d+) \|")
PREFIX = "conformance/"
HEAD = "| suite | fork | passed | total |\n|---|---|---|---|\n"
LEFT_OUT = re.compile(r"left out: (.+?): (\d+): (.+)")
LEFT_OUT_ROW = re.compile(r"\| `([^`]+)` \| (\d+) \| (.*?) \|\n")
LEFT_OUT_HEAD = "| suite | left out | why |\n|---|---|---|\n"


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


def left_out(lines):
    """{(suite, why): count} of one test's output."""
    hits = (LEFT_OUT.fullmatch(line.strip()) for line in lines)
    return {(hit[1], hit[3]): int(hit[2]) for hit in hits if hit}


def read_left_out(text):
    return {(suite, why): int(count) for suite, count, why in LEFT_OUT_ROW.findall(text)}


def grown(old, new):
    """Cases that are left out and were not; only of suites that the table has."""
    known = {suite for suite, _ in old}
    for (suite, why), count in sorted(new.items()):
        if suite in known and count > old.get((suite, why), 0):
            yield f"{suite}: {count} cases are left out, docs/conformance.md has {old.get((suite, why), 0)}: {why}"


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


def write(text, table, out):
    """The text with its tables, which end it, replaced."""
    passed, total = (sum(n[i] for n in table.values()) for i in (0, 1))
    head = re.sub(r"\d+ of \d+ cases pass", f"{passed} of {total} cases pass", text[:text.index(LEFT_OUT_HEAD)])
    head = re.sub(r"\d+ are left out", f"{sum(out.values())} are left out", head)
    between = text[text.index(LEFT_OUT_HEAD) + len(LEFT_OUT_HEAD):text.index(HEAD)]
    between = LEFT_OUT_ROW.sub("", between)
    gone = [f"| `{suite}` | {count} | {why} |\n" for (suite, why), count in sorted(out.items())]
    rows = [f"| `{suite}` | {fork} | {n[0]} | {n[1]} |\n" for (suite, fork), n in sorted(table.items())]
    return head + LEFT_OUT_HEAD + "".join(gone) + between + HEAD + "".join(rows)


def judge(path, new, out):
    """Compares a run with the tables at path and brings them up to date; returns complaints."""
    text = path.read_text()
    old, old_out = read(text), read_left_out(text)
    complaints = list(fallen(old, new)) + list(grown(old_out, out))
    if not complaints and (new or out):
        ran = {suite for suite, _ in out} | {suite for suite, _ in new}
        kept = {key: n for key, n in old_out.items() if key[0] not in ran}
        fresh = write(text, {**old, **new}, {**kept, **out})
        if fresh != text:
            path.write_text(fresh)
    return complaints
