#!/usr/bin/env bash
# Makes DocC pages of every library product from the release build (`make build`), in .build/docs, each in a folder named as
# the module. Warnings are errors. Names of another module stand in single backticks: DocC resolves links within a module.
#
#     scripts/docs.sh [BUILD]     BUILD is the folder of SwiftPM's products, .build if left out
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-.build} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What modules import from C is found by its module maps. Modules that plugins need too were built twice; one is enough.
arguments=(-I "$build/release/Modules" -I Sources/CMnemeKernels/include -I Sources/CMnemeMemory/include)
while read -r map; do
    arguments+=(-Xcc "-fmodule-map-file=$map" -Xcc "-I$(dirname "$map")")
done < <(find Sources/C* "$build"/checkouts/*/Sources "$build"/release/*.build -maxdepth 3 \
    -name module.modulemap -not -path "*-tool.build/*")

target=$(swiftc -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["triple"])')
docc=$(command -v docc || xcrun --find docc)
modules=$(sed -nE 's/.*\.library\(name: "(\w+)".*/\1/p' Package.swift)
page() {
    local module=$1 graphs=$work/$1 out=.build/docs/$1
    swift symbolgraph-extract -module-name "$module" -target "$target" "${arguments[@]}" \
        -minimum-access-level public -skip-inherited-docs -output-dir "$(mkdir -p "$graphs" && echo "$graphs")" || return
    local options=(--fallback-display-name "$module" --fallback-bundle-identifier "mneme.$module")
    # Only the umbrella has articles.
    [ "$module" = Mneme ] && options=(Sources/Mneme/Mneme.docc)
    rm -rf "$out" && mkdir -p "$out"
    "$docc" convert "${options[@]}" --warnings-as-errors --additional-symbol-graph-dir "$graphs" --output-dir "$out" \
        --transform-for-static-hosting
}
# As many at once as there are processors.
begun=0
for module in $modules; do
    ((begun++ % $(getconf _NPROCESSORS_ONLN))) || wait
    { page "$module" >"$work/$module.log" 2>&1 && touch "$work/$module.done"; } &
done
wait
failed=()
for module in $modules; do
    [ -e "$work/$module.done" ] || { cat "$work/$module.log" >&2; failed+=("$module"); }
done
[ ${#failed[@]} -eq 0 ] || { echo "docs: DocC objects to ${failed[*]}" >&2; exit 1; }
echo "docs: $(wc -w <<< "$modules") modules in .build/docs, without a warning"
