#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of what mkvm-debian-image refuses: each mistake gives status 1 and one line that
# names it, and leaves nothing. Needs no network. TAP on stdout.
set -eu

tool=$(cd "$(dirname "$0")/../.." && pwd)/userspace/mkvm-debian-image
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir"
mkdir bin work
# Neither may be reached by what is refused here.
for name in debootstrap mke2fs; do
	printf '#!/bin/sh\necho "%s ran"\nexit 9\n' "$name" >bin/$name
	chmod 755 bin/$name
done
n=0 failed=0

refused() { # refused NAME EXPECTED ARGUMENT...
	name=$1 expected=$2 status=0
	shift 2
	n=$((n + 1))
	PATH=$dir/bin:$PATH MKVM=/bin/true "$tool" "$@" >out 2>&1 || status=$?
	if [ $status -eq 1 ] && grep -qF -- "$expected" out && [ -z "$(ls -A work)" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name (status $status)"
		sed 's/^/# /' out
		failed=1
	fi
}

refused "no image" "which image?"
refused "two images" "one image at a time" work/a work/b
refused "an option that is not known" "option '--frob' is not known" --frob work/a
refused "an option without its value" "option --size needs a value" work/a --size
refused "a size without a unit" "--size 12: give a number" --size 12 work/a
refused "a format that is not offered" "--format vdi: use raw or qcow2" --format vdi work/a
refused "a compressed raw image" "--compress is for qcow2" --format raw --compress work/a
refused "a host name with a space" "--hostname" --hostname "a b" work/a
refused "a key that is not there" "cannot read it" --ssh-key work/none work/a
refused "a script that is not there" "cannot read it" --run work/none work/a
refused "a mirror that gives nothing" "debootstrap failed" --mirror http://localhost:1/ work/a
touch there
refused "an image that exists" "there exists" there
echo "1..$n"
exit $failed
