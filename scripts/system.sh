#!/bin/sh
# Installs what pyrender and the tests of videos need from Debian; says what is missing where it may not.
set -eu
missing=""
ldconfig -p | grep -q libEGL.so.1 || missing="$missing libegl1 libgl1-mesa-dri"
ldconfig -p | grep -q libOSMesa || missing="$missing libosmesa6"
command -v ffprobe >/dev/null || missing="$missing ffmpeg"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "not installed (needs root and apt):$missing; tests that need them are skipped" >&2
fi
