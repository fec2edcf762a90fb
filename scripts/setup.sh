#!/usr/bin/env bash
# Installs the system packages that the build needs, where apt is there and something is missing; with --tests those of the
# tests, too: a Redis server, and on Debian the browser that the viewer is tested in (on Ubuntu it is a snap, and left out).
set -euo pipefail

missing=()
command -v swift >/dev/null || { echo "Swift 6.2 or later is needed: https://www.swift.org/install" >&2; exit 1; }
[ -e /usr/include/sqlite3.h ] || missing+=(libsqlite3-dev)
[ -e /usr/include/libstemmer.h ] || missing+=(libstemmer-dev)
[ -e /usr/include/hiredis/hiredis.h ] || missing+=(libhiredis-dev)
[ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
[ -e /usr/include/postgresql/libpq-fe.h ] || missing+=(libpq-dev)
command -v git >/dev/null || missing+=(git)
command -v curl >/dev/null || missing+=(curl ca-certificates)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
[ "${1:-}" != --tests ] || command -v redis-server >/dev/null || missing+=(redis-server)
[ "${1:-}" != --tests ] || command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
    ! grep -qs '^ID=debian' /etc/os-release || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    [ "$(uname)" = Darwin ] && { echo "On macOS: brew install sqlite snowball hiredis libpq (done before? then all is well)" >&2; exit 0; }
    echo "Install first: ${missing[*]} (names of Debian's packages)" >&2
    exit 1
fi
sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
