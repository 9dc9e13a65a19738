#!/bin/sh
# Makes a base image from Debian's packages, where no image registry is in reach: docker/debian.sh IMAGE
# Needs root, debootstrap and a Debian mirror: MIRROR, or the one that this machine uses itself, or debootstrap's own.
# DOCKER names the client.
set -eu
image=$1
suite=bookworm
docker=${DOCKER:-docker}
if [ -z "${MIRROR:-}" ]; then
  MIRROR=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
fi
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root: run this with sudo" >&2; exit 1; }
if ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT TERM
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$suite" "$root" ${MIRROR:+"$MIRROR"} >"$root.log" 2>&1 || {
  tail -n 3 "$root.log" >&2
  exit 5
}
rm -f "$root.log"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/* \
  "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
# Neither host name nor resolver of this machine.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
tar -C "$root" --sort=name --numeric-owner --mtime=@0 -c . | "$docker" import -c 'CMD ["python3"]' \
  -c "LABEL org.opencontainers.image.base.name=debian:$suite" - "$image" >/dev/null
echo "$image"
