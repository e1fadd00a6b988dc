#!/usr/bin/env python3
"""Unpacks the pack of official Ethereum fixtures into BUILD/fixtures, once.

Usage: fixtures.py BUILD [PACK]
PACK is vectors/ethereum-public.tar.zst in the folder `shared` beside the source tree or in it.  A
stamp holds the pack's SHA-256, so that another pack is unpacked anew.  Without a pack, or when
KEEL_FIXTURES names a folder, there is nothing to do."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

PACK = pathlib.Path("shared", "vectors", "ethereum-public.tar.zst")


def find_pack():
    root = pathlib.Path(__file__).resolve().parent.parent
    for folder in (root.parent, root):
        if (folder / PACK).is_file():
            return folder / PACK
    return None


def unpack(pack, folder):
    """Into a folder beside the wanted one first: an interrupted run leaves nothing that looks whole."""
    half = folder.with_name(folder.name + ".new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    zstd = subprocess.Popen(["zstd", "-dc", str(pack)], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "-xf", "-", "-C", str(half)], stdin=zstd.stdout)
    if zstd.wait() != 0 or tar.returncode != 0:
        sys.exit(f"fixtures: cannot unpack {pack}")
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def main():
    build = pathlib.Path(sys.argv[1])
    pack = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else find_pack()
    if os.environ.get("KEEL_FIXTURES") or not pack:
        return
    folder = build / "fixtures"
    stamp = folder / ".sha256"
    digest = hashlib.sha256(pack.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        unpack(pack, folder)
        stamp.write_text(digest)


if __name__ == "__main__":
    main()
