#!/bin/sh
# Runs once, within the official image, when the primary's data are new: the roles, the database, and the place in the
# log that is kept for the follower.
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=password="$POSTGRES_PASSWORD" --username=postgres --dbname=postgres <<'SQL'
CREATE ROLE hashpost LOGIN PASSWORD :'password';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
CREATE DATABASE hashpost OWNER hashpost;
SELECT pg_create_physical_replication_slot('follower') \g /dev/null

-- A commit is acknowledged when the follower has it on disk too, so that losing the primary loses nothing; without the
-- follower, writes wait. It counts from the next start: now there is no follower, and nothing here would commit.
ALTER SYSTEM SET synchronous_standby_names = 'follower';
SQL
