#!/bin/bash
# Runs every fuzz target of the module for the given time, one after another.
# usage: fuzz.sh 2s
set -u
time=${1:?time per target}
go=${GO:-go}
fail=0
for f in $(git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz'); do
  for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$f"); do
    out=$($go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$f")" 2>&1)
    if [ $? = 0 ]; then echo "fuzz $target ./$(dirname "$f"): $(echo "$out" | grep -E '^fuzz: elapsed' | tail -1)"
    else echo "$out"; echo "FAIL fuzz $target ./$(dirname "$f")"; fail=1; fi
  done
done
exit $fail
