# shellcheck shell=bash
# Sourced: one JVM server made of Maven jars. Fetches the jars once, starts it, waits for it, stops it.
# The sourcing script sets `name`, `port`, and `state`, the folder of data, log and pid file.
: "${name:=}" "${port:=}" "${state:=}"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cache.sh
. "$here/cache.sh"

# Serial collector and the first compiler only: what costs least on a machine that compiles meanwhile.
java_options=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.awt.headless=true
  "-Dlog4j2.configurationFile=file:$here/log4j2.properties")

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# once FOLDER COMMAND…: runs `COMMAND… PARTIAL` and renames PARTIAL to FOLDER, unless FOLDER exists.
# One at a time for all servers, since two Mavens must not write one repository.
once() {
  local folder=$1
  shift
  mkdir -p "$(dirname "$folder")"
  exec 9> "$cache/fetch.lock"
  flock -w 1200 9 || fail "another download has held $cache/fetch.lock for 20 minutes"
  if [ ! -d "$folder" ]; then
    rm -rf "$folder.partial"
    mkdir -p "$folder.partial"
    "$@" "$folder.partial"
    mv "$folder.partial" "$folder"
  fi
  exec 9>&-
}

# fetch_jars FOLDER GROUP:ARTIFACT:VERSION…: these and all that they need at run time.
fetch_jars() {
  local folder=$1 coordinate group artifact version
  shift
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId>'
    echo '<artifactId>jars</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for coordinate in "$@"; do
      IFS=: read -r group artifact version <<< "$coordinate"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } > "$folder/pom.xml"
  # -U: Maven remembers a failed download and would not try it again.
  retry timeout 600 mvn -B -q -U -Dstyle.color=never -f "$folder/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$folder" >&2
}

port_is_open() {
  (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# Otherwise a readiness check would succeed against somebody else's server.
require_free() {
  local port
  for port in "$@"; do
    if port_is_open "$port"; then fail "port $port is taken; pass another one with --port"; fi
  done
}

# The pid in the pid file belongs to our server only while its command line names our folder.
is_running() {
  [ -s "$state/pid" ] && grep -qsaF -- "$state" "/proc/$(cat "$state/pid")/cmdline"
}

require_stopped() {
  if is_running; then fail "$name already runs as process $(cat "$state/pid")"; fi
}

# launch JAVA_ARGUMENT…: in a session of its own, so that Ctrl-C at the terminal does not reach it.
launch() {
  setsid nohup java "${java_options[@]}" "$@" > "$state/log" 2>&1 < /dev/null &
  echo $! > "$state/pid"
  echo "$port" > "$state/port"
}

# wait_ready SECONDS ADDRESS CHECK…: until CHECK succeeds; else the end of the log, and failure.
wait_ready() {
  local limit=$1 address=$2 deadline=$((SECONDS + $1))
  shift 2
  until "$@"; do
    if ! kill -0 "$(cat "$state/pid")" 2> /dev/null; then give_up "$name ended while starting"; fi
    if [ "$SECONDS" -ge "$deadline" ]; then give_up "$name is not ready after $limit s"; fi
    sleep 0.1
  done
  echo "$name is ready on $address, process $(cat "$state/pid")"
}

give_up() {
  echo "--- errors in $state/log, and its end" >&2
  grep -E 'ERROR|FATAL|Exception' "$state/log" | head -n 20 >&2 || true
  echo ... >&2
  tail -n 30 "$state/log" >&2
  stop_server KILL >&2
  fail "$1"
}

# stop_server TERM|KILL: returns when the process is gone.
stop_server() {
  local pid
  if ! is_running; then
    echo "$name is not running"
    return 0
  fi
  pid=$(cat "$state/pid") port=$(cat "$state/port")
  kill -s "$1" "$pid"
  if ! wait_gone 30; then
    echo "$name did not stop in 30 s and is killed" >&2
    kill -KILL "$pid" 2> /dev/null || true
    wait_gone 30 || fail "process $pid does not end"
  fi
  rm -f "$state/pid"
  echo "$name has stopped, process $pid"
}

# A killed JVM loses its command line before its last thread has let go of the port.
wait_gone() {
  local deadline=$((SECONDS + $1))
  while is_running || port_is_open "$port"; do
    if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
    sleep 0.1
  done
}
