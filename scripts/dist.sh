#!/usr/bin/env bash
# Packs a built program (default: .build-static/release/mneme) into .build-static/dist: a tarball, a Debian package and
# their checksums. The same program gives the same bytes: files are sorted, owned by root, and dated by the last commit.
#
#     dist.sh tree FOLDER [PROGRAM]     the installed files alone, below FOLDER: `make install`
#     dist.sh pack [PROGRAM]            the archives: `make dist`
set -euo pipefail
cd "$(dirname "$0")/.."

# Copies files into a folder, which is made: put MODE FOLDER FILE…
put() {
    local mode=$1 folder=$2
    shift 2
    mkdir -p "$folder"
    install -m "$mode" "$@" "$folder"
}

# The installed files, below a prefix: program, man pages, completions, unit, documents.
tree() {
    local to=$1 program=$2
    put 755 "$to/bin" "$program"
    python3 scripts/man_pages.py "$program" "$to/share/man/man1"
    mkdir -p "$to/share/bash-completion/completions" "$to/share/zsh/site-functions" "$to/share/fish/vendor_completions.d"
    "$program" --generate-completion-script bash > "$to/share/bash-completion/completions/mneme"
    "$program" --generate-completion-script zsh > "$to/share/zsh/site-functions/_mneme"
    "$program" --generate-completion-script fish > "$to/share/fish/vendor_completions.d/mneme.fish"
    [ "$(uname)" = Darwin ] || put 644 "$to/lib/systemd/system" packaging/mneme.service
    put 644 "$to/share/doc/mneme" README.md CHANGELOG.md SECURITY.md LICENSE packaging/settings.example.json
}

case "${1:-}" in
tree) tree "$2" "${3:-.build-static/release/mneme}"; exit ;;
pack) program=$(realpath "${2:-.build-static/release/mneme}") ;;
*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

umask 022
out=.build-static/dist
rm -rf "$out" && mkdir -p "$out"
version=$("$program" --version)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

name=mneme-$version-$(uname -s | tr A-Z a-z)-$(uname -m)
tree "$out/$name" "$program"
cp LICENSE README.md "$out/$name"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu \
    -C "$out" -c "$name" | gzip -9n > "$out/$name.tar.gz"
rm -rf "${out:?}/$name"

if command -v dpkg-deb >/dev/null; then
    root=$out/debian/root
    tree "$root/usr" "$program"
    gzip -9n "$root"/usr/share/man/man1/*.1
    gzip -9n "$root/usr/share/doc/mneme/CHANGELOG.md"
    rm "$root/usr/share/doc/mneme/LICENSE"
    put 644 "$root/usr/share/doc/mneme" packaging/debian/copyright
    # The libraries that the program links become dependencies, with the versions whose symbols it uses.
    mkdir -p "$out/debian/debian" && : > "$out/debian/debian/control"
    depends=$(cd "$out/debian" && dpkg-shlibdeps -O "root/usr/bin/mneme" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
    mkdir -p "$root/DEBIAN"
    sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$(dpkg --print-architecture)|" -e "s|@DEPENDS@|$depends|" \
        -e "s|@SIZE@|$(du -sk --apparent-size "$root/usr" | cut -f1)|" packaging/debian/control > "$root/DEBIAN/control"
    (cd "$root" && find usr -type f | sort | xargs md5sum > DEBIAN/md5sums)
    find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --build "$root" "$out" >/dev/null
    rm -rf "$out/debian"
fi
(cd "$out" && sha256sum -- *.tar.gz *.deb 2>/dev/null > SHA256SUMS; cat SHA256SUMS)
