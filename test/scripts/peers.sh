#!/bin/bash
# Runs the benchmark beside other relays: ssh -L where OpenSSH is installed, and
# frp and chisel where FRP_DIR (frpc, frps) and CHISEL (the program) name them.
#   test/scripts/peers.sh [arguments of bench run]
# All of them run with their defaults; all is on loopback and ends with the script.
set -eu
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
  echo 'peers: no frp (FRP_DIR): its row is left out'
fi

if [ -x "${CHISEL:-}" ]; then
  "$CHISEL" server --host 127.0.0.1 --port $((base + 5)) >/dev/null 2>&1 & pids="$pids $!"
  sleep 1
  "$CHISEL" client "127.0.0.1:$((base + 5))" "127.0.0.1:$((base + 6)):$service" >/dev/null 2>&1 & pids="$pids $!"
  entries="$entries -entry chisel=127.0.0.1:$((base + 6))"
else
  echo 'peers: no chisel (CHISEL): its row is left out'
fi

sleep 1
"$bench" run -service $service $entries "$@"
