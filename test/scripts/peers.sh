#!/bin/bash
# Runs the benchmark beside other relays: ssh -L where OpenSSH is installed, and frp and
# chisel, built from their source (once, below the user's cache) or named by FRP_DIR (frpc,
# frps) and CHISEL (the program). What cannot be had is left out, and it is said.
#   test/scripts/peers.sh [arguments of bench run]
# All of them run with their defaults; all is on loopback and ends with the script.
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-test/peers

# fetched NAME URL TAG: its source below the cache
fetched() {
  [ -d "$cache/$1-$3" ] && return
  mkdir -p "$cache" && git clone -q --depth 1 -b "$3" "$2" "$cache/$1-$3.part" && mv "$cache/$1-$3.part" "$cache/$1-$3"
}

if [ -z "${FRP_DIR:-}" ] && fetched frp https://github.com/fatedier/frp v0.70.1; then
  FRP_DIR=$cache/frp-v0.70.1
  (cd "$FRP_DIR" && for p in frps frpc; do
    mkdir -p web/$p/dist && touch web/$p/dist/index.html # its pages, which nobody opens here
    [ -x $p ] || CGO_ENABLED=0 go build -o $p ./cmd/$p
  done) || FRP_DIR=
fi
if [ -z "${CHISEL:-}" ] && fetched chisel https://github.com/jpillora/chisel v1.11.5; then
  CHISEL=$cache/chisel-v1.11.5/chisel-program
  [ -x "$CHISEL" ] || (cd "${CHISEL%/*}" && CGO_ENABLED=0 go build -o "$CHISEL" .) || CHISEL=
fi

bench=${BENCH_PROGRAM:-bin/bench}
dir=$(mktemp -d); pids=
trap 'for p in $pids; do kill $p 2>/dev/null || true; done; rm -rf "$dir"' EXIT
base=${PEERS_PORT:-21700} # and the nine after it
service=127.0.0.1:$base
entries=
PATH=$PATH:/usr/sbin

if command -v sshd >/dev/null && command -v ssh >/dev/null && [ "$(id -u)" = 0 ]; then
  mkdir -p /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$dir/host"; ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
  printf 'Port %s\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nMaxSessions 2000\n' \
    $((base + 1)) "$dir/host" "$dir/user.pub" >"$dir/sshd_config"
  "$(command -v sshd)" -D -f "$dir/sshd_config" & pids="$pids $!"
  for try in $(seq 50); do (exec 3<>/dev/tcp/127.0.0.1/$((base + 1))) 2>/dev/null && break; sleep 0.1; done
  ssh -F none -N -i "$dir/user" -p $((base + 1)) -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="$dir/known" \
    -L 127.0.0.1:$((base + 2)):$service root@127.0.0.1 & pids="$pids $!"
  entries="$entries -entry ssh=127.0.0.1:$((base + 2))"
else
  echo 'peers: no ssh (OpenSSH and root): its row is left out'
fi

if [ -x "${FRP_DIR:-}/frps" ] && [ -x "$FRP_DIR/frpc" ]; then
  printf 'bindAddr = "127.0.0.1"\nbindPort = %s\n' $((base + 3)) >"$dir/frps.toml"
  printf 'serverAddr = "127.0.0.1"\nserverPort = %s\n[[proxies]]\nname = "b"\ntype = "tcp"\nlocalIP = "127.0.0.1"\nlocalPort = %s\nremotePort = %s\n' \
    $((base + 3)) "$base" $((base + 4)) >"$dir/frpc.toml"
  "$FRP_DIR/frps" -c "$dir/frps.toml" >/dev/null & pids="$pids $!"
  sleep 1
  "$FRP_DIR/frpc" -c "$dir/frpc.toml" >/dev/null & pids="$pids $!"
  entries="$entries -entry frp=127.0.0.1:$((base + 4))"
else
  echo 'peers: no frp (its source is not to be had or not built, and FRP_DIR names none): its row is left out'
fi

if [ -x "${CHISEL:-}" ]; then
  "$CHISEL" server --host 127.0.0.1 --port $((base + 5)) >/dev/null 2>&1 & pids="$pids $!"
  sleep 1
  "$CHISEL" client "127.0.0.1:$((base + 5))" "127.0.0.1:$((base + 6)):$service" >/dev/null 2>&1 & pids="$pids $!"
  entries="$entries -entry chisel=127.0.0.1:$((base + 6))"
else
  echo 'peers: no chisel (its source is not to be had or not built, and CHISEL names none): its row is left out'
fi

sleep 1
"$bench" run -service $service $entries "$@"
