#!/bin/sh
# nginx reads certificates when it starts and when it is told to: this tells it whenever one of the files has changed.
#   reload-on-change.sh PID_FILE FILE…
pid_file=$1
shift

state() { cat "$@" | cksum; }

seen=$(state "$@")
while sleep 2; do
  now=$(state "$@")
  [ "$now" = "$seen" ] && continue
  seen=$now
  kill -HUP "$(cat "$pid_file")"
done
