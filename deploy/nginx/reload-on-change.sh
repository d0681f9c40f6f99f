#!/bin/sh
# nginx reads certificates when it starts and when it is told to: this tells it whenever one of the files has changed.
#   reload-on-change.sh [-t SHOWN TRUSTED] PID_FILE FILE…
# -t is for instances whose certificate, SHOWN, vouches for itself. TRUSTED is the file that nginx trusts, a copy of it: when
# SHOWN changes, the new certificate comes into it, beside the one before, which instances may still show.

usage() {
  echo "usage: ${0##*/} [-t SHOWN TRUSTED] PID_FILE FILE…" >&2
  exit 64
}

shown= trusted=
if [ "$1" = -t ] && [ $# -ge 3 ]; then
  shown=$2 trusted=$3
  shift 3
fi
[ $# -ge 2 ] || usage
pid_file=$1
shift
[ -z "$shown" ] || set -- "$@" "$shown"
for file in "$@"; do
  [ -r "$file" ] || echo "${0##*/}: $file cannot be read now; it is watched all the same" >&2
done

# A file that is away while it is replaced is a change too.
state() { cat "$@" 2>/dev/null | cksum; }

certificate() { [ -z "$shown" ] || cat "$shown" 2>/dev/null; }

loaded=$(state "$@")
seen=$loaded
before=$(certificate)
# More often than the instances, which load what has not changed for two seconds.
while sleep 0.3; do
  now=$(state "$@")
  if [ "$now" != "$seen" ]; then
    # It may still be changing.
    seen=$now
  elif [ "$now" != "$loaded" ]; then
    loaded=$now
    if [ -n "$trusted" ]; then
      # nginx sees the whole file or the old one.
      { certificate && echo "$before"; } >"$trusted.new" && mv "$trusted.new" "$trusted"
      before=$(certificate)
    fi
    kill -HUP "$(cat "$pid_file")"
  fi
done
