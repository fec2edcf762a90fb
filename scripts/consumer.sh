#!/usr/bin/env bash
# Builds Tests/consumer, a package that depends on Mneme for text memory alone (`traits: []`), and runs it: it remembers and
# recalls, and commits to a store of its own, written with public declarations. Neither an HTTP
# server nor tokens nor command lines may be resolved for it. A debug build: it is there sooner, and asks for no speed.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/.build/consumer
swift build --package-path Tests/consumer --scratch-path "$out" -q
if grep -E '"identity" : "(hummingbird|jwt-kit|async-http-client|swift-argument-parser|swift-nio-ssl)"' Tests/consumer/Package.resolved; then
    echo "A package that uses text memory alone resolves these" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
answer=$("$out/debug/consumer" "$folder/memory.db")
expected="Ana moved to Lisbon.
cubes 1, ended true, refused true, holds again true, audit 5 chained true"
[ "$answer" = "$expected" ] || { echo "The package answered: $answer" >&2; exit 1; }
echo "consumer: built without the server's dependencies, and answers"
