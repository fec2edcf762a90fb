#!/usr/bin/env bash
# Builds .build-static/release/mneme, which runs where no Swift is installed: Swift's libraries, SQLite, Snowball, hiredis
# and zlib are part of it, and it has no debug information. PostgreSQL's client library is not: it brings others that are
# shared libraries themselves. What it links still is printed: the C and C++ libraries.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
out=.build-static
program=$out/release/mneme
arguments=(-c release --product mneme --traits Server --scratch-path "$out" -Xlinker -s)
if [ "$(uname)" = Linux ]; then
    # The linker takes the first library of a name that it finds. pkg-config's folders come first, so that a folder with
    # archives alone is named by files of its own for pkg-config.
    libraries="$PWD/$out/libraries"
    mkdir -p "$libraries"
    for name in sqlite3 stemmer hiredis z; do
        archive=$(cc -print-file-name=lib$name.a)
        [ -e "$archive" ] || { echo "lib$name.a is missing: install the library's development package" >&2; exit 1; }
        ln -sf "$archive" "$libraries/lib$name.a"
    done
    for name in hiredis:hiredis zlib:z; do
        printf 'Name: %s\nDescription: the archive\nVersion: 0\nLibs: -L%s -l%s\n' \
            "${name%:*}" "$libraries" "${name#*:}" > "$libraries/${name%:*}.pc"
    done
    export PKG_CONFIG_PATH="$libraries${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    arguments+=(--static-swift-stdlib -Xlinker "-L$libraries")
fi
swift build "${arguments[@]}"
ls -l "$program"
if [ "$(uname)" = Linux ]; then
    if ldd "$program" | grep -E 'lib(swift|sqlite3|stemmer|hiredis|z)\.|libFoundation'; then
        echo "$program links these libraries, which should be part of it" >&2
        exit 1
    fi
    ldd "$program"
fi
