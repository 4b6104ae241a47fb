#!/bin/bash
# Installs, by name, what `make dist` and `make packagestest` use besides Go: as root by apt-get; elsewhere it
# says what is missing.
set -u
tools='wixl:wixl msiinfo:msitools lintian:lintian rpm:rpm rpmlint:rpmlint cpio:cpio systemd-nspawn:systemd-container debootstrap:debootstrap'
missing=
for t in $tools; do command -v "${t%%:*}" >/dev/null || missing="$missing ${t#*:}"; done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing$missing"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "missing (what needs it is left out, and said):$missing"
fi
exit 0
