#!/bin/sh
# nginx reads certificates when it starts and when it is told to: this tells it whenever one of the files has changed.
#   reload-on-change.sh PID_FILE FILE…
if [ $# -lt 2 ]; then
  echo "usage: ${0##*/} PID_FILE FILE…" >&2
  exit 64
fi
pid_file=$1
shift
for file in "$@"; do
  [ -r "$file" ] || echo "${0##*/}: $file cannot be read now; it is watched all the same" >&2
done

# A file that is away while it is replaced is a change too.
state() { cat "$@" 2>/dev/null | cksum; }

seen=$(state "$@")
while sleep 2; do
  now=$(state "$@")
  [ "$now" = "$seen" ] && continue
  seen=$now
  kill -HUP "$(cat "$pid_file")"
done
