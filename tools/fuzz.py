#!/usr/bin/env python3
"""Runs fuzz targets one after the other; exit 1 when one found something.

Usage: fuzz.py BUILD SECONDS [--keep] [TARGET]...
BUILD is a build folder with libFuzzer.  What a run finds is gathered in BUILD/corpus/TARGET, so that
the next one goes on there; an input that breaks a target lands in BUILD/broken.  --keep adds the
inputs that reach code no kept one reaches to tests/corpus/TARGET, which `make test` replays."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = ["-rss_limit_mb=3000", "-timeout=20", "-max_len=16384"]


def fuzz(program, seconds, keep):
    """False when the target is broken."""
    build, target = program.parent, program.name
    found, kept, broken = build / "corpus" / target, ROOT / "tests" / "corpus" / target, build / "broken"
    for folder in (found, kept, broken):
        folder.mkdir(parents=True, exist_ok=True)
    log = (build / f"{target}.log").open("w")

    def run(*arguments):
        return subprocess.run([program, *LIMITS, *arguments], stdout=log, stderr=log).returncode == 0

    good = run(f"-max_total_time={seconds}", f"-artifact_prefix={broken}/{target}-", found, kept)
    if good and keep:
        good = run("-merge=1", "-use_counters=0", kept, found)
    last = [line for line in pathlib.Path(log.name).read_text(errors="replace").splitlines() if " cov: " in line]
    print(f"{' ok ' if good else 'FAIL'} {target:22} {last[-1].split(' L: ')[0] if last else ''}", flush=True)
    if not good:
        print(f"     {log.name} tells more; the input is in {broken}")
    return good


def main():
    build, seconds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    names = [name for name in sys.argv[3:] if name != "--keep"]
    programs = sorted(p for p in build.glob("*_fuzz") if p.is_file() and (not names or p.name in names))
    if not programs:
        sys.exit("fuzz: no such target")
    sys.exit(not all([fuzz(p, seconds, "--keep" in sys.argv) for p in programs]))


if __name__ == "__main__":
    main()
