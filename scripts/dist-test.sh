#!/usr/bin/env bash
# Tries .build-static/dist where no Swift is: unpacks the tarball into a Debian root file system of its own, runs `mneme
# demo` there with the models of MNEME_HOME, and installs the Debian package. Needs root and debootstrap (Debian's
# package); where one is missing, or there is no network, it says so and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$PWD/.build-static/dist
models=${MNEME_HOME:-$HOME/.mneme}/models
skip() { echo "dist-test: skipped, $1"; exit 0; }

[ "$(uname)" = Linux ] || skip "this is no Linux"
[ "$(id -u)" -eq 0 ] || skip "it needs root for chroot"
[ -d "$models/all-MiniLM-L6-v2" ] || skip "the embedding model is not in $models (make model)"
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 \
    || skip "debootstrap is not there"
tarball=$(ls "$dist"/*.tar.gz) package=$(ls "$dist"/*.deb)

root=$(mktemp -d)
trap 'umount -q "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
# The suite of this machine, as the program needs a C library as new as the one that it was linked with.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 || skip "debootstrap failed: $(tail -1 "$root.log")"
rm -f "$root.log"
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$root" "$@"; }
inside true
! inside sh -c 'command -v swift' >/dev/null || { echo "Swift is in the root file system" >&2; exit 1; }
mkdir -p "$root/root/.mneme/models"
cp -r "$models/all-MiniLM-L6-v2" "$root/root/.mneme/models/"
mount -t proc proc "$root/proc" 2>/dev/null || true

started=$(date +%s%N)
tar -xzf "$tarball" -C "$root/opt"
name=$(basename "$tarball" .tar.gz)
inside "/opt/$name/bin/mneme" demo > "$root/demo.txt"
took=$(( ($(date +%s%N) - started) / 1000000 ))
grep -q 'Ask it yourself' "$root/demo.txt" && grep -q '^ *1' "$root/demo.txt" || { cat "$root/demo.txt"; exit 1; }
[ $took -lt 60000 ] || { echo "From unpacking to the last answer it took $took ms" >&2; exit 1; }

cp "$package" "$root/mneme.deb"
inside dpkg -i /mneme.deb >/dev/null || { echo "The package asks for what a minimal system does not have" >&2; exit 1; }
inside mneme remember "Ana moved to Lisbon." >/dev/null
inside mneme recall "Where does Ana live?" | grep -q Lisbon
for file in man/man1/mneme.1.gz man/man1/mneme-serve.1.gz bash-completion/completions/mneme zsh/site-functions/_mneme \
    fish/vendor_completions.d/mneme.fish doc/mneme/copyright; do
    [ -s "$root/usr/share/$file" ] || { echo "/usr/share/$file is missing" >&2; exit 1; }
done
inside dpkg -r mneme >/dev/null
[ ! -e "$root/usr/bin/mneme" ] || { echo "dpkg -r left the program" >&2; exit 1; }

# The same program and commit give the same bytes.
before=$(cat "$dist/SHA256SUMS")
scripts/dist.sh pack >/dev/null
[ "$before" = "$(cat "$dist/SHA256SUMS")" ] || { echo "Packed again, the archives differ" >&2; exit 1; }
echo "dist-test: the demo took $took ms from unpacking on; the package installs, runs and goes"
