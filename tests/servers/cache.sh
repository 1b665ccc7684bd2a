# shellcheck shell=bash
# Sourced: where downloads are kept, outside of the clone, and how a download is tried again.

# shellcheck disable=SC2034  # read by the scripts that source this file
cache=${ANABRANCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/anabranch}

# retry COMMAND…: runs it up to four times, waiting 2, 4 and 8 seconds in between.
retry() {
  local wait
  for wait in 2 4 8; do
    "$@" && return 0
    echo "failed, trying again in $wait s: $*" >&2
    sleep "$wait"
  done
  "$@"
}
