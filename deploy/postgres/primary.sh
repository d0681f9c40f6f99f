#!/bin/sh
# Starts the primary, in the official image.
set -eu
: "${POSTGRES_PASSWORD:?is not set: put POSTGRES_PASSWORD=... into .env, such as the output of openssl rand -hex 24}"

# No parameter and no detail of an error goes into the log: they are texts.
exec docker-entrypoint.sh postgres \
  -c hba_file=/etc/hashpost/pg_hba.conf \
  -c log_parameter_max_length=0 \
  -c log_error_verbosity=terse
