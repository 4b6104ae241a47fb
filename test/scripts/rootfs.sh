#!/bin/bash
# rootfs.sh DIR: a small Debian with systemd in DIR, the packages of OpenRC in DIR.openrc and those of rpm in
# DIR.rpm, once.
set -u
dir=$1
[ "$(id -u)" = 0 ] || { echo "rootfs: needs root; what is tested on a booted system is skipped"; exit 0; }

# packages NAME ACTION...: what apt-get downloads by that action for the tree, in DIR.NAME.
packages() {
  local to=$dir.$1; shift
  [ -e "$to/.complete" ] && return
  rm -rf "$to"; mkdir -p "$to/partial"
  (cd "$to" && apt-get -qq -y -o Dir="$dir" -o Dir::Cache::archives="$to" -o Dir::Bin::methods=/usr/lib/apt/methods -o APT::Sandbox::User=root "$@") ||
    { echo "rootfs: not downloaded, and not tried: $*"; return; }
  touch "$to/.complete"
}

more() {
  packages openrc download openrc insserv librc1 libeinfo1
  packages rpm --download-only --no-install-recommends install rpm
}

[ -e "$dir/.complete" ] && { more; exit 0; }
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
rm -rf "$dir"; mkdir -p "$dir"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,iproute2,procps bookworm "$dir" ${mirror:-https://deb.debian.org/debian} >"$dir.log" 2>&1 ||
  { tail -n 5 "$dir.log"; exit 1; }
touch "$dir/.complete"
more
