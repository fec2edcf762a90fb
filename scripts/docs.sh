#!/usr/bin/env bash
# Makes the DocC pages of `import Mneme` in .build/docs from the release build (`make build`). Warnings are errors.
#
#     scripts/docs.sh [BUILD]     BUILD is the folder of SwiftPM's products, .build if left out
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-.build} graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT

# What Mneme imports from C is found by its module maps. Modules that plugins need too were built twice; one is enough.
arguments=(-I "$build/release/Modules")
while read -r map; do
    arguments+=(-Xcc "-fmodule-map-file=$map" -Xcc "-I$(dirname "$map")")
done < <(find Sources/C* "$build"/checkouts/*/Sources "$build"/release/*.build -maxdepth 3 \
    -name module.modulemap -not -path "*-tool.build/*")

target=$(swiftc -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["triple"])')
swift symbolgraph-extract -module-name Mneme -target "$target" "${arguments[@]}" -I Sources/CMnemeKernels/include \
    -I Sources/CMnemeMemory/include -minimum-access-level public -skip-inherited-docs -output-dir "$graphs"
docc=$(command -v docc || xcrun --find docc)
"$docc" convert Sources/Mneme/Mneme.docc --additional-symbol-graph-dir "$graphs" --output-dir .build/docs \
    --warnings-as-errors --transform-for-static-hosting
