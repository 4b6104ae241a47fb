#!/bin/bash
# Installs, by name, what the stories of test/e2e use: as root by apt-get, and
# the second OpenID provider by npm into a cache, and the modules that go.mod
# names. Elsewhere it only says what is missing; the stories that need it skip and
# say so.
set -u

# retry runs a command until it succeeds, five times over a minute and a half: a
# registry that is away for a moment fails no test.
retry() {
  for try in 1 2 3 4 5; do
    "$@" && return 0
    [ $try = 5 ] || sleep $((try * 10))
  done
  return 1
}

install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# command -> Debian package
tools='chromium:chromium psql:postgresql-client pgbench:postgresql-contrib pg_ctlcluster:postgresql-common
sshd:openssh-server ssh:openssh-client scp:openssh-client redis-server:redis-server redis-cli:redis-tools
curl:curl ip:iproute2 wixl:wixl desktop-file-validate:desktop-file-utils nginx:nginx-light node:nodejs npm:npm gcc:gcc
dbus-daemon:dbus Xvfb:xvfb xfwm4:xfwm4 xfce4-panel:xfce4-panel xfconf-query:xfconf dunst:dunst xdotool:xdotool import:imagemagick xclip:xclip'

PATH=$PATH:/usr/sbin:/sbin
missing=
for t in $tools; do command -v "${t%%:*}" >/dev/null || missing="$missing ${t#*:}"; done
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
missing=$(echo $missing | tr ' ' '\n' | sort -u | tr '\n' ' ')

if [ -n "${missing// /}" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "deps: installing $missing"
    retry install $missing || { echo "deps: apt-get did not succeed in five tries" >&2; exit 1; }
  else
    echo "deps: missing (stories that need them are skipped): $missing"
  fi
fi

[ "$(id -u)" = 0 ] || echo "deps: not root: skipped are the stories of two OS users, of OpenSSH and of networks of their own, and the tests that act as another user or set owners"

# The independent, certified OpenID provider of the login stories.
version=9.13.3
dir=${SALLYPORT_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-test}/oidc-provider-$version
if [ ! -d "$dir/node_modules/oidc-provider" ]; then
  if command -v npm >/dev/null; then
    if ! retry npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" "oidc-provider@$version" >/dev/null 2>&1; then
      echo "deps: npm could not install oidc-provider@$version; its stories are skipped" >&2
      [ "$(id -u)" = 0 ] && exit 1 # where everything can be installed, nothing is left out
    fi
  else
    echo "deps: no npm; the stories with a second OpenID provider are skipped"
  fi
fi

retry "${GO:-go}" mod download || { echo "deps: the modules that go.mod names could not be had" >&2; exit 1; }
