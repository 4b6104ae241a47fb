#!/bin/bash
# rootfs.sh DIR: a small Debian with systemd in DIR, and the packages of OpenRC in DIR.openrc, once.
set -u
dir=$1
[ "$(id -u)" = 0 ] || { echo "rootfs: needs root; what is tested on a booted system is skipped"; exit 0; }

openrc() {
  [ -e "$dir.openrc/.complete" ] && return
  rm -rf "$dir.openrc"; mkdir -p "$dir.openrc"
  (cd "$dir.openrc" && apt-get -qq -o Dir="$dir" -o Dir::Bin::methods=/usr/lib/apt/methods -o APT::Sandbox::User=root download openrc insserv librc1 libeinfo1) ||
    { echo "rootfs: no packages of OpenRC; it is not tried"; return; }
  touch "$dir.openrc/.complete"
}

[ -e "$dir/.complete" ] && { openrc; exit 0; }
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
rm -rf "$dir"; mkdir -p "$dir"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,iproute2,procps bookworm "$dir" ${mirror:-https://deb.debian.org/debian} >"$dir.log" 2>&1 ||
  { tail -n 5 "$dir.log"; exit 1; }
touch "$dir/.complete"
openrc
