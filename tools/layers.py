#!/usr/bin/env python3
"""Fails when a file includes a layer its own layer may not see (src/LAYERS)."""
import pathlib
import re
import sys

# What tests may use beyond what their layer may.
TESTS = re.compile(r"_(test|fuzz|bench)\.c$")
GROUND = {"sys", "sim", "codec"}


def read_layers(src):
    """The table of src/LAYERS: layer -> the layers it may include."""
    may = {}
    for line in (src / "LAYERS").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, below = line.split(":")
        for other in below.split():
            if other not in may:
                sys.exit(f"LAYERS: {name} names {other}, which is not below it")
        may[name.strip()] = set(below.split())
    return may


def layer_of(may, path):
    hits = [name for name in may if path.startswith(name + "/")]
    return max(hits, key=len) if hits else None


def faults(src, may):
    for file in sorted(src.rglob("*.[ch]")):
        mine = layer_of(may, file.relative_to(src).as_posix())
        if mine is None:
            yield f"{file}: in no layer"
            continue
        for n, text in enumerate(file.read_text().splitlines(), 1):
            hit = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
            if not hit:
                continue
            other = layer_of(may, hit[1])
            if other is None:
                yield f"{file}:{n}: write the path from src/: {hit[1]}"
            elif other in GROUND and TESTS.search(file.name) and not hit[1].endswith("_priv.h"):
                continue
            elif other != mine and other not in may[mine]:
                yield f"{file}:{n}: {mine} may not include {hit[1]}"
            elif other != mine and hit[1].endswith("_priv.h"):
                yield f"{file}:{n}: {hit[1]} is private to {other}"


def main():
    src = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "src"
    bad = list(faults(src, read_layers(src)))
    if bad:
        print("\n".join(bad))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
