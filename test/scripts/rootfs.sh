#!/bin/bash
# rootfs.sh DIR: a small Debian with systemd in DIR, once.
set -u
dir=$1
[ -e "$dir/.complete" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "rootfs: needs root; what is tested on a booted system is skipped"; exit 0; }
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
rm -rf "$dir"; mkdir -p "$dir"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,iproute2,procps bookworm "$dir" ${mirror:-https://deb.debian.org/debian} >"$dir.log" 2>&1 ||
  { tail -n 5 "$dir.log"; exit 1; }
touch "$dir/.complete"
