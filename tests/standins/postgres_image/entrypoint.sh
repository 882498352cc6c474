#!/bin/sh
# What docker.io/library/postgres does with the variables that compose.yaml gives it, where that can't be pulled.
set -e
as_postgres="setpriv --reuid=postgres --regid=postgres --init-groups"
mkdir -p "$PGDATA"
chown postgres:postgres "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  chown postgres /tmp/password
  $as_postgres initdb --pgdata="$PGDATA" --username=postgres --pwfile=/tmp/password --encoding=UTF8 >/dev/null 2>&1
  rm /tmp/password
  echo "CREATE DATABASE $POSTGRES_DB" | $as_postgres postgres --single -c log_checkpoints=off -D "$PGDATA" postgres >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec $as_postgres "$@" -c listen_addresses='*'
