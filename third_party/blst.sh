#!/bin/sh
# Builds blst from the sources that npm installed, as one object in one archive:
#   blst.sh SOURCE-FOLDER OUTPUT.a COMPILER...
# Portable: the processor's abilities (ADX) are found out at run time.  Of blst's many global names
# only the public ones, which begin with blst_ or BLST_, stay visible to the rest of the program.
set -eu
from=$1 to=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
flags="-O2 -fno-builtin -fPIC -D__BLST_PORTABLE__"
"$@" $flags -c "$from/src/server.c" -o "$tmp/server.o"
"$@" $flags -c "$from/build/assembly.S" -o "$tmp/assembly.o"
ld -r "$tmp/server.o" "$tmp/assembly.o" -o "$tmp/blst.o"
objcopy --wildcard --keep-global-symbol='blst_*' --keep-global-symbol='BLST_*' "$tmp/blst.o"
rm -f "$to"
ar rcsD "$to" "$tmp/blst.o"
