#!/bin/bash
# Installs, by name, what `make dist` and `make packagestest` use besides Go: as root by apt-get; elsewhere it
# says what is missing.
set -u
PATH=$PATH:/usr/sbin:/sbin
tools='wixl:wixl msiinfo:msitools lintian:lintian rpm:rpm rpmlint:rpmlint cpio:cpio systemd-nspawn:systemd-container debootstrap:debootstrap
wine:wine x86_64-w64-mingw32-ld:binutils-mingw-w64-x86-64 Xvfb:xvfb xdotool:xdotool import:imagemagick'
missing=
for t in $tools; do command -v "${t%%:*}" >/dev/null || missing="$missing ${t#*:}"; done
[ -x /usr/lib/wine/wine64 ] || missing="$missing wine64"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing (what needs it is left out, and said):$missing"
  exit 0
fi
echo "installing$missing"
for try in 1 2 3; do
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
  sleep $((try * 5))
done
echo "distdeps: apt-get did not succeed in three tries" >&2
exit 1
