#!/bin/sh
# Whether the follower has what the primary writes, or has taken its place.
set -eu
follows=$(psql --no-psqlrc --tuples-only --no-align --username=postgres --dbname=postgres --command="
  SELECT NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
[ "$follows" = t ]
