#!/usr/bin/env python3
"""embed.py FILE.hex NAME OUT.c: the bytes that a text of digits (0x…) names, as a C array NAME and its length
NAME_len."""
import pathlib
import sys


def main():
    source, name, out = sys.argv[1:]
    code = bytes.fromhex(pathlib.Path(source).read_text().strip().removeprefix("0x"))
    lines = ["#include <stddef.h>", f"extern const unsigned char {name}[];", f"extern const size_t {name}_len;",
             f"const unsigned char {name}[] = {{"]
    lines += [",".join(map(str, code[i:i + 32])) + "," for i in range(0, len(code), 32)]
    lines += ["};", f"const size_t {name}_len = sizeof {name};"]
    pathlib.Path(out).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
