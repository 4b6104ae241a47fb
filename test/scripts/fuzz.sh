#!/bin/bash
# Runs every fuzz target of the module for the given time, one after another.
# usage: fuzz.sh 2s
set -u
time=${1:?time per target}
go=${GO:-go}
fail=0
found=0

# A worker that is still busy when the time is up makes the toolchain say "context
# deadline exceeded" and fail, without a failing input: such a
# run is done again, twice at most.
run() { # target package
  for try in 1 2 3; do
    out=$($go test -vet=off -run '^$' -fuzz "^$1\$" -fuzztime "$time" "$2" 2>&1) && return 0
    if [[ $out != *'context deadline exceeded'* || $out == *'Failing input written'* ]]; then return 1; fi
  done
  return 1
}

for f in $(grep -rl --include='*_test.go' '^func Fuzz' . | sed 's|^\./||' | sort); do
  for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$f"); do
    found=$((found + 1))
    if run "$target" "./$(dirname "$f")"; then
      echo "fuzz $target ./$(dirname "$f"): $(echo "$out" | grep -E '^fuzz: elapsed' | tail -1)"
    else
      echo "$out"; echo "FAIL fuzz $target ./$(dirname "$f")"; fail=1
    fi
  done
done
[ $found -gt 0 ] || { echo "FAIL fuzz: no target found"; fail=1; }
exit $fail
