#!/usr/bin/env python3
"""Nothing in the pack of official fixtures is overlooked: every file is read by a test, or is named
here with the reason why none can.

Usage: pack.py KEEL FOLDER...
The FOLDERs are those that have a test of their own in meson.build; UNIT are those that unit tests
read.  What is left out goes into docs/conformance.md.  Skipped by name when there are no fixtures."""
import collections
import os
import pathlib
import sys

UNIT = [
    "DifficultyTests", "PrecompileTests", "RLPTests", "TransactionTests", "TrieTests", "kzg", "legacy/VMTests",
    "eest-filled/transaction_tests", "misc/GenesisTests", "misc/PoWTests", "misc/BasicTests/genesishashestest.json",
    "misc/BasicTests/hexencodetest.json", "misc/BasicTests/keyaddrtest.json", "misc/BasicTests/txtest.json",
    "execution-apis/tests/eth_getProof", "execution-apis/tests/chain.rlp",
    "execution-apis/tests/genesis.json",
]
# Files in those folders that no test reads.
EXCEPT = {"TrieTests/trietestnextprev.json"}
# (path, name of the row, why): the first that fits counts; a * gives a row to each folder.
LEFT_OUT = [
    ("TrieTests/trietestnextprev.json", "TrieTests/trietestnextprev.json",
     "asks for the keys beside a key in a trie: Keel walks the state in order of keys in its store, and tries only by key"),
    ("execution-apis/tests/*", "execution-apis/*", "exchanges of the RPC surface, which is not execution"),
    ("execution-apis/tests", "execution-apis", "settings of the program that plays the exchanges"),
    ("misc/ABITests", "misc/ABITests", "encodes arguments by type names: Keel knows the calls of its own contracts alone"),
    ("misc/KeyStoreTests", "misc/KeyStoreTests", "encrypted key files, which Keel does not read"),
    ("misc/BasicTests/crypto.json", "misc/BasicTests/crypto.json", "AES and ECIES of devp2p, which Keel does not speak"),
    ("misc/BasicTests/blockgenesistest.json", "misc/BasicTests/blockgenesistest.json",
     "headers of 13 fields, from before Frontier"),
    ("LICENSES", None, ""), ("MANIFEST.md", None, ""), (".sha256", None, ""),
]


def row(path):
    """(name, why) of a file that is left out, or None."""
    for start, name, why in LEFT_OUT:
        parts = pathlib.PurePath(start).parts
        if parts[-1] == "*":
            if path.parts[:len(parts) - 1] == parts[:-1] and len(path.parts) > len(parts):
                return name.replace("*", path.parts[len(parts) - 1]), why
        elif path.parts[:len(parts)] == parts:
            return name, why
    return None


def main():
    keel, *folders = sys.argv[1:]
    home = pathlib.Path(os.environ.get("KEEL_FIXTURES") or pathlib.Path(keel).parent / "fixtures")
    if not home.is_dir():
        print("skipped: pack: no official fixtures; KEEL_FIXTURES names their folder\n0 passed, 0 failed, 1 skipped")
        return
    run = [pathlib.PurePath(folder).parts for folder in UNIT + folders]
    rows, read, unknown = collections.Counter(), 0, []
    for file in sorted(p for p in home.rglob("*") if p.is_file()):
        path = file.relative_to(home)
        named = row(path)
        if any(path.parts[:len(parts)] == parts for parts in run) and path.as_posix() not in EXCEPT:
            read += 1
        elif named:
            rows[named] += 1
        else:
            unknown.append(path)
    for (name, why), count in sorted(rows.items(), key=str):
        if name:
            print(f"left out: {name}: {count}: {why}")
    for path in unknown:
        print(f"no test reads {path}, and nothing says why")
    print(f"{read} files are read")
    print(f"{int(not unknown)} passed, {int(bool(unknown))} failed, 0 skipped")
    sys.exit(bool(unknown))


if __name__ == "__main__":
    main()
