#!/usr/bin/env bash
# Compiles the C targets for arm64 (warnings are errors), runs Tests/kernels/bits.c on emulated processors with and
# without dot products and i8mm, and compares what it prints with this machine's own: the kernels must give the same bits
# everywhere. Installs the cross libraries and the emulator where apt is there and they are missing; without them it is
# skipped. Speed is not measured: the emulator's says nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { echo "arm64 kernels: skipped, $1"; exit 0; }

[ "$(uname -s)" = Linux ] || skip "the emulator runs on Linux only"
cc="$(scripts/swift-clang.sh)" || skip "there is no clang"
"$cc" --print-targets | grep -q aarch64 || skip "this clang does not compile for aarch64"

missing=()
command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
[ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing+=(libc6-dev-arm64-cross)
[ -n "$(ls /usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a 2>/dev/null)" ] || missing+=(libgcc-dev-arm64-cross)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || skip "there is no apt to install ${missing[*]} with"
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || skip "installing ${missing[*]} needs root"
        sudo="sudo -n"
    fi
    echo "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq || skip "apt cannot reach its packages, ${missing[*]} among them"
    # The library of the compiler has its release in its name.
    release="$(apt-cache search --names-only '^libgcc-[0-9]+-dev-arm64-cross$' | cut -d' ' -f1 | sort -V | tail -n 1)"
    [ -n "$release" ] || skip "this system's packages have no libgcc for arm64"
    $sudo apt-get install -y -qq --no-install-recommends "${missing[@]/libgcc-dev-arm64-cross/$release}" >/dev/null \
        || skip "apt could not install ${missing[*]}"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
kernels=Sources/CMnemeKernels
flags=(-Wall -Wextra -Werror -I"$kernels" -I"$kernels/include" -ISources/CMnemeMemory/include)
here=(-O1)  # bits do not depend on it, and it takes half the time
arm=(-O3 --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -static -fuse-ld=lld)

# compile FOLDER FLAGS…: the program and all that it is linked with, as many files at once as there are processors.
compile() {
    local folder="$work/$1"
    shift
    mkdir "$folder"
    printf '%s\0' "$kernels"/*.c Sources/CMnemeMemory/*.c Tests/kernels/bits.c |
        xargs -0 -P "$(nproc)" -n 1 bash -c \
            'source="${@: -1}"; "${@:2:$#-2}" -c "$source" -o "$1/$(basename "$source" .c).o"' \
            compile "$folder" "$cc" -Wno-unused-command-line-argument "$@" "${flags[@]}"
    "$cc" "$@" "$folder"/*.o -o "$folder/bits" -lm -lpthread
}
compile here "${here[@]}"
compile arm "${arm[@]}"

"$work/here/bits" >"$work/here.txt" 2>"$work/here.paths" || { tail -n 1 "$work/here.txt" >&2; exit 1; }
echo "arm64 kernels: this machine, $(cat "$work/here.paths"): $(tail -n 1 "$work/here.txt")"

# run PROCESSOR PATHS…: what it must be found to have, and whether all it prints is what this machine printed.
run() {
    local processor="$1" path
    shift
    qemu-aarch64-static -cpu "$processor" "$work/arm/bits" >"$work/$processor.txt" 2>"$work/$processor.paths" \
        || { echo "arm64 kernels: $processor: $(tail -n 1 "$work/$processor.txt")"; return 1; }
    [ "$(cat "$work/$processor.paths")" = "paths: $*" ] \
        || { echo "arm64 kernels: $processor: found $(cat "$work/$processor.paths") instead of $*"; return 1; }
    diff "$work/here.txt" "$work/$processor.txt" >"$work/$processor.diff" \
        || { echo "arm64 kernels: $processor differs from this machine:"; head -n 6 "$work/$processor.diff"; return 1; }
    echo "arm64 kernels: $processor, paths: $*: the same bits as this machine"
}
run cortex-a72 portable neon amx-emulated &
first=$!
run neoverse-n1 portable neon dotprod amx-emulated &
second=$!
run max portable neon dotprod i8mm amx-emulated
wait "$first"
wait "$second"
