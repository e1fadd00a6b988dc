#!/usr/bin/env python3
"""Runs what checks the rules of STYLE.md, and sums up as every test does."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def c_files():
    return subprocess.check_output(["git", "ls-files", "src/*.[ch]"], cwd=ROOT, text=True).split()


def main():
    checks = {
        "layers": [sys.executable, "tools/layers.py"],
        "tidy": [sys.executable, "tools/tidy.py"],
        "recursion": [sys.executable, "tools/recursion.py"],
        "documents": [sys.executable, "tools/docs.py"],
        "spec-coverage": [sys.executable, "tools/specref.py", "--check"],
        "layout": ["clang-format-14", "--dry-run", "--Werror", *c_files()],
    }
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for name, command in checks.items():
        if not shutil.which(command[0]):
            print(f"skipped: style/{name}: {command[0]} is not installed (make tools)")
            count["skipped"] += 1
        elif subprocess.run(command, cwd=ROOT).returncode == 0:
            count["passed"] += 1
        else:
            print(f"failed: style/{name}")
            count["failed"] += 1
    print(", ".join(f"{n} {what}" for what, n in count.items()))
    sys.exit(count["failed"] != 0)


if __name__ == "__main__":
    main()
