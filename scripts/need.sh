#!/bin/sh
# need.sh WHAT...: installs the Debian packages that are missing, and says nothing when none is.
#
# WHAT is a package, or COMMAND:PACKAGE (a command on the PATH is enough), or /FILE:PACKAGE.
set -eu

missing=
for what; do
  package=${what#*:}
  case $what in
    /*:*) test ! -e "${what%%:*}" || continue ;;
    *:*) ! command -v "${what%%:*}" > /dev/null || continue ;;
    *)
      status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null) || status=none
      test "$status" != installed || continue
      ;;
  esac
  missing="$missing $package"
done
test -n "$missing" || exit 0

if ! command -v apt-get > /dev/null; then
  echo "need.sh: missing, and there is no apt-get to install it: Debian's$missing" >&2
  exit 1
fi
if test "$(id -u)" != 0; then
  echo "need.sh: missing: run as root: apt-get install$missing" >&2
  exit 1
fi

# A lock lets one in at a time: parts of the tests run side by side, and apt's lists have one lock.
exec 9< "$0"
flock 9
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# The missing packages are a list of words.
# shellcheck disable=SC2086
if ! { apt-get update -q && apt-get install -qy $missing; } > "$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "need.sh: apt-get could not install$missing" >&2
  exit 1
fi
