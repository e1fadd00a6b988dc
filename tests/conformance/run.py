#!/usr/bin/env python3
"""Runs one kind of official tests over one folder of the fixtures.

Usage: run.py KEEL COMMAND FOLDER [WITHOUT]...
FOLDER is relative to the fixtures, which are where KEEL_FIXTURES says or beside KEEL.  Its
sub-folders called WITHOUT are left to another test.  Skipped by name when there are no fixtures, or
with KEEL_QUICK=1."""
import os
import pathlib
import sys


def skip(folder, why):
    print(f"skipped: {folder}: {why}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def main():
    keel, command, folder, *without = sys.argv[1:]
    home = os.environ.get("KEEL_FIXTURES") or pathlib.Path(keel).parent / "fixtures"
    path = pathlib.Path(home, folder)
    if os.environ.get("KEEL_QUICK") == "1":
        skip(folder, "KEEL_QUICK is set")
    if not pathlib.Path(home).is_dir():
        skip(folder, "no official fixtures; KEEL_FIXTURES names their folder")
    paths = [path]
    if without:
        paths = sorted(p for p in path.iterdir() if p.name not in without)
    sys.stdout.flush()
    os.execv(keel, [keel, command, *map(str, paths)])


if __name__ == "__main__":
    main()
