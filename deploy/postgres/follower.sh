#!/bin/sh
# Starts the follower, in the official image: at first as a copy of the primary, and from then on after its log.
# README.md says how it takes the primary's place.
set -eu

if [ ! -d "$PGDATA" ]; then
  # By another name until it is whole, for the copy may be interrupted.
  rm -rf "$PGDATA.new"
  PGPASSWORD="$POSTGRES_PASSWORD" pg_basebackup --host="$PRIMARY_HOST" --username=replicator --no-password \
    --slot=follower --checkpoint=fast --write-recovery-conf --pgdata="$PGDATA.new"
  mv "$PGDATA.new" "$PGDATA"
fi

# It is known to the primary by the name of its cluster. Once it is the primary itself, it has nobody to wait for.
exec postgres \
  -c cluster_name=follower \
  -c synchronous_standby_names= \
  -c hba_file=/etc/hashpost/pg_hba.conf \
  -c log_parameter_max_length=0 \
  -c log_error_verbosity=terse \
  -c listen_addresses='*'
