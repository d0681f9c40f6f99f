#!/bin/sh
# nginx reads certificates when it starts and when it is told to: this tells it whenever one of the files has changed.
#   reload-on-change.sh [-t SHOWN TRUSTED] PID_FILE FILE…
# -t is for instances whose certificate, SHOWN, vouches for itself. TRUSTED is the file that nginx trusts, a copy of it: when
# SHOWN changes, the new certificate is added to it at once, and the old one taken away when no instance shows it any more.

usage() {
  echo "usage: ${0##*/} [-t SHOWN TRUSTED] PID_FILE FILE…" >&2
  exit 64
}

trusted=
if [ "$1" = -t ] && [ $# -ge 3 ]; then
  shown=$2 trusted=$3
  shift 3
fi
[ $# -ge 2 ] || usage
pid_file=$1
shift
[ -z "$trusted" ] || set -- "$@" "$shown"
for file in "$@"; do
  [ -r "$file" ] || echo "${0##*/}: $file cannot be read now; it is watched all the same" >&2
done

# A file that is away while it is replaced is a change too.
state() { cat "$@" 2>/dev/null | cksum; }

# trust FILE…, from now on; nginx sees the whole file or the old one.
trust() { cat "$@" >"$trusted.new" && mv "$trusted.new" "$trusted"; }

reload() { kill -HUP "$(cat "$pid_file")"; }

loaded=$(state "$@")
seen=$loaded
# More often than the instances, which load what has not changed for a second.
while sleep 0.3; do
  now=$(state "$@")
  if [ "$now" != "$seen" ]; then
    # It may still be changing.
    seen=$now
  elif [ "$now" != "$loaded" ]; then
    loaded=$now
    [ -z "$trusted" ] || trust "$shown" "$trusted"
    reload
    [ -z "$trusted" ] && continue
    sleep 5
    trust "$shown"
    reload
  fi
done
