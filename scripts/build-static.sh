#!/usr/bin/env bash
# Builds .build-static/release/mneme, which runs where no Swift is installed: Swift's libraries are part of it, and it has
# no debug information. SQLite, Snowball, hiredis and zlib are to be part of it, too, by archives that are found first; on
# Debian 12 their shared libraries were linked all the same (`ldd`).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
out=.build-static
arguments=(-c release --product mneme --scratch-path "$out" -Xlinker -s)
if [ "$(uname)" = Linux ]; then
    # The linker takes the first library of a name that it finds: a folder that holds archives alone comes first.
    libraries="$PWD/$out/libraries"
    mkdir -p "$libraries"
    for name in sqlite3 stemmer hiredis z; do
        archive=$(cc -print-file-name=lib$name.a)
        [ -e "$archive" ] || { echo "lib$name.a is missing: install the library's development package" >&2; exit 1; }
        ln -sf "$archive" "$libraries/lib$name.a"
    done
    arguments+=(--static-swift-stdlib -Xlinker "-L$libraries")
fi
swift build "${arguments[@]}"
ls -l "$out/release/mneme"
