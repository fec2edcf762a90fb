#!/usr/bin/env bash
# Prints the path of the clang that comes with Swift: the one that builds the C targets. Another clang may stand first in
# PATH (Debian 12's is too old for the kernels). Fails, with a word, where the toolchain has none.
set -euo pipefail
resources="$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')"
clang="${resources%/lib/swift*}/bin/clang"
[ -x "$clang" ] || { echo "clang is needed; Swift's toolchain has it, but not at $clang" >&2; exit 1; }
echo "$clang"
