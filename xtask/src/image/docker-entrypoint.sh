#!/bin/sh
# What the official image does, as far as anybody relies on it: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB,
# POSTGRES_HOST_AUTH_METHOD, and SQL in /docker-entrypoint-initdb.d. The ready line comes on stdout first, from the server
# that only initialises, and then on stderr, from the real one.
set -eu
case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    secret=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:-}" > "$secret"
    initdb -N -D "$PGDATA" -U "$user" --pwfile="$secret" -A trust -E UTF8 --locale=C > /dev/null
    rm -f "$secret"
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=" start
    [ "$database" = postgres ] || psql -X -q -U "$user" -d postgres -c "create database \"$database\""
    for sql in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -f "$sql" ] || psql -X -q -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$sql"
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
[ "$1" != postgres ] || set -- "$@" -c "listen_addresses=*"
exec "$@"
