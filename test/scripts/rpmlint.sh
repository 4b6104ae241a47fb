#!/bin/bash
# rpmlint.sh FILE...: rpmlint unpacks with `cpio -id`, and our packages, like rpmbuild's older ones, hold absolute
# names: without this it would unpack into the system that it runs on.
set -u
shim=$(mktemp -d); trap 'rm -rf "$shim"' EXIT
printf '#!/bin/sh\nexec %s --no-absolute-filenames "$@"\n' "$(command -v cpio)" >"$shim/cpio"; chmod +x "$shim/cpio"
rc=0
for f in "$@"; do PATH=$shim:$PATH rpmlint -c "$(dirname "$0")/../../packaging/rpmlint.toml" "$f" || rc=1; done
exit $rc
