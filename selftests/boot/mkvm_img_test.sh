#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of the command line of `mkvm img`: what each subcommand prints, its exit status,
# what it refuses, and that a failure leaves nothing behind. TAP on stdout.
# MKVM: the binary to test.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
mkvm=${MKVM:-$top/userspace/mkvm}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir"

# shellcheck source=selftests/lib/points.sh
. "$top/selftests/lib/points.sh"
tell_failure() { sed 's/^/# /' out err; }

# img NAME STATUS TEXT ARGUMENT...: runs it; TEXT is on stdout, or, if STATUS is not 0, on stderr or
# stdout. "" is no text at all.
img() {
	what=$1 want=$2 text=$3 status=0
	shift 3
	timeout 60 "$mkvm" img "$@" </dev/null >out 2>err || status=$?
	ok=1
	if [ "$status" -eq "$want" ] && { [ "$status" -ne 0 ] || [ ! -s err ]; }; then
		if [ -z "$text" ]; then
			[ -s out ] || ok=0
		elif grep -qF -e "$text" out err; then
			ok=0
		fi
	fi
	[ $ok -eq 0 ] || echo "# status $status, wanted $want and: $text"
	point $ok "$what"
}
check() { # check NAME COMMAND...
	what=$1 ok=0
	shift
	"$@" >out 2>err || ok=1
	point $ok "$what"
}
# shellcheck disable=SC2317	# called by check
gone() { [ ! -e "$1" ]; }
# shellcheck disable=SC2317
same_size() { [ "$(stat -c %s "$1")" -eq "$2" ]; }
blocks() { stat -c %b "$1"; }
fill() { # fill FILE OFFSET-KIB KIB: bytes that are not zero
	head -c "$(($3 * 1024))" /dev/zero | tr '\0' x | dd of="$1" bs=1024 seek="$2" conv=notrunc 2>/dev/null
}

img "help" 0 "Usage: mkvm img COMMAND" --help
img "help of a subcommand" 0 "Usage: mkvm img COMMAND" create --help
check "help fits a screen" test "$("$mkvm" img --help | wc -l)" -le 24
img "no subcommand" 1 "no subcommand"
img "unknown subcommand" 1 "'frobnicate'" frobnicate
img "unknown option" 1 "'-Z' is not supported" info -Z x
img "unknown long option" 1 "'--frob' is not supported" info --frob x
img "an option of other subcommands" 1 "'--force-share' is not supported" create --force-share x 1M
img "option without its value" 1 "'-f' needs a value" info -f
img "no file" 1 "FILE is missing" info
img "two files" 1 "unexpected argument 'b'" info a b

# create
img "create" 0 "Formatting 'a.raw', fmt=raw size=10485760" create a.raw 10M
check "of that size" same_size a.raw 10485760
img "create quietly" 0 "" create -q -f raw b.raw 1.5K
check "sizes with fractions" same_size b.raw 1536
img "create without a size" 1 "no size" create c.raw
img "a size that is none" 1 "not a size" create c.raw 10X
img "a negative size" 1 "not supported" create c.raw -1G
img "a size that overflows" 1 "too large" create c.raw 99999999E
img "unknown format" 1 "format 'qed' is not supported; use" create -f qed c.raw 1M
img "an option the format does not know" 1 "no option 'frob'" create -o frob=1 c.raw 1M
img "an option without a value" 1 "'frob' has no value" create -o frob c.raw 1M
img "a format that is only read" 1 "can only be read" create -f vmdk c.raw 1M
img "a backing image for a format without" 1 "no backing image" create -f raw -b a.raw -F raw c.raw
img "a backing image that is not there" 1 "cannot open it" create -f raw -b nofile -F raw c.raw
img "a backing image without its format" 1 "-F raw" create -f raw -b a.raw c.raw
img "-F without -b" 1 "-F without -b" create -F raw c.raw 1M
img "a directory that is not there" 1 "cannot create it" create no/c.raw 1M
img "too large for the file system" 1 "cannot make it" create c.raw 7E
check "none of them left a file" gone c.raw
for format in raw vdi qcow2; do
	img "$format: a bad option for a file that is there" 1 "frob" create -f $format -o frob=1 a.raw 1M
done
check "leaves it as it was" same_size a.raw 10485760
img "preallocation" 0 "" create -q -o preallocation=full full.raw 1M
check "takes the space" test "$(blocks full.raw)" -ge 2048

# info
img "info" 0 "virtual size: 10 MiB (10485760 bytes)" info a.raw
img "info says the format" 0 "file format: raw" info -f raw a.raw
img "info of a missing file" 1 "No such file" info nofile
img "info in the wrong format" 1 "is no VDI image" info -f vdi b.raw
if command -v python3 >/dev/null; then
	"$mkvm" img info --output=json a.raw >json 2>err || true
	check "info as JSON" python3 -c 'import json
o = json.load(open("json"))
assert o["virtual-size"] == 10485760 and o["format"] == "raw" and o["filename"] == "a.raw"
assert o["dirty-flag"] is False and "actual-size" in o'
else
	skip_point "info as JSON" "python3 is not installed"
fi
img "info in an unknown form" 1 "use human or json" info --output=xml a.raw

# compare and convert
fill a.raw 100 200
fill a.raw 5000 1
img "convert" 0 "" convert a.raw b.raw
img "compare: the same" 0 "Images are identical." compare a.raw b.raw
check "holes stay holes" test "$(blocks b.raw)" -lt 1000
img "convert with -S 0" 0 "" convert -S 0 a.raw b.raw
check "fills them" test "$(blocks b.raw)" -ge 20480
img "convert over a larger file" 0 "" convert -n a.raw b.raw
img "still the same" 0 "Images are identical." compare -f raw -F raw a.raw b.raw
img "progress when asked" 0 "(100.00/100%)" convert -p a.raw b.raw
img "to VDI" 0 "" convert -O vdi a.raw c.vdi
img "to fixed VDI" 0 "" convert -O vdi -o static=on c.vdi d.vdi
img "and back" 0 "" convert d.vdi e.raw
img "the same after all" 0 "Images are identical." compare a.raw e.raw
check "byte by byte" cmp a.raw e.raw
img "check of a VDI image" 0 "No errors were found" check c.vdi
img "check of a raw image" 63 "nothing to check" check a.raw
img "check of a missing file" 1 "No such file" check nofile
img "-r with something else" 1 "use leaks or all" check -r some c.vdi
printf '\001' | dd of=c.vdi bs=1 seek=388 conv=notrunc 2>/dev/null
img "check finds a fault" 2 "1 errors were found" check c.vdi
status=0
"$mkvm" img check -r all c.vdi >o1 2>e1 || status=$?
check "check repairs it" grep -q "Double checking" o1
check "with status 0" test $status -eq 0
img "and it is repaired" 0 "No errors were found" check c.vdi
img "nothing to compare with" 2 "No such file" compare a.raw nofile
fill e.raw 7000 1
img "compare: a difference" 1 "Content mismatch at offset 7168000!" compare a.raw e.raw
img "quietly" 1 "" compare -q a.raw e.raw
img "resize" 0 "Image resized." resize b.raw +1M
img "compare: sizes" 0 "Warning: Image size mismatch!" compare a.raw b.raw
img "compare: sizes must be the same" 1 "Strict mode: Image size mismatch!" compare -s a.raw b.raw
img "resize to less" 1 "use --shrink" resize b.raw 1M
check "changes nothing" same_size b.raw 11534336
img "resize to less with --shrink" 0 "Image resized." resize --shrink b.raw -10M
check "shrinks" same_size b.raw 1048576
img "resize to nothing" 1 "only 1048576 bytes" resize --shrink b.raw -1M
img "resize of what cannot be resized" 1 "cannot resize it" resize d.vdi 20M

# qcow2: backing images, compression, snapshots
img "to qcow2" 0 "" convert -O qcow2 a.raw a.qcow2
img "info of a qcow2 image" 0 "refcount bits: 16" info a.qcow2
img "the same as before" 0 "Images are identical." compare a.raw a.qcow2
img "compressed" 0 "" convert -c -O qcow2 -o compression_type=zstd a.qcow2 z.qcow2
img "the same, too" 0 "Images are identical." compare a.raw z.qcow2
img "all of it is compressed" 0 "100.00% compressed clusters" check z.qcow2
mkdir sub
img "an overlay of its size" 0 "size=10485760 backing_file=../a.qcow2" \
	create -f qcow2 -b ../a.qcow2 -F qcow2 sub/o.qcow2
img "is found beside the image that names it" 0 "Images are identical." compare a.raw sub/o.qcow2
img "info says where it is" 0 "backing file: ../a.qcow2 (actual path: sub/../a.qcow2)" info sub/o.qcow2
img "info of the chain" 0 "image: sub/../a.qcow2" info --backing-chain sub/o.qcow2
img "convert on top of another image" 0 "" convert -O qcow2 -B ../a.qcow2 -F qcow2 e.raw sub/p.qcow2
img "reads as its source" 0 "Images are identical." compare e.raw sub/p.qcow2
check "and stores what differs" test "$(blocks sub/p.qcow2)" -lt 1200
img "-B without -F" 1 "give its format" convert -O qcow2 -B ../a.qcow2 e.raw sub/q.qcow2
img "an overlay that is larger" 0 "" create -q -f qcow2 -b a.qcow2 -F qcow2 l.qcow2 12M
img "zeroes follow" 0 "Warning: Image size mismatch!" compare a.raw l.qcow2
img "no snapshots yet" 0 "" snapshot a.qcow2
img "take a snapshot" 0 "" snapshot -c first a.qcow2
img "it is in the list" 0 "first" snapshot -l a.qcow2
img "it can be applied" 0 "" snapshot -a first a.qcow2
img "one that is not there" 1 "has no snapshot 'second'" snapshot -d second a.qcow2
img "two things at once" 1 "not two" snapshot -c x -d y a.qcow2
img "delete it" 0 "" snapshot -d first a.qcow2
img "raw images have none" 1 "raw images have no snapshots" snapshot -l a.raw
img "resize qcow2" 0 "Image resized." resize l.qcow2 +1G
img "and less" 0 "Image resized." resize --shrink l.qcow2 10M
img "nothing was lost" 0 "Images are identical." compare a.raw l.qcow2
img "an overlay without a look" 0 "" create -q -u -f qcow2 -b t.qcow2 -F qcow2 s.qcow2 1M
img "its backing image is missing" 2 "cannot open its backing image 't.qcow2'" compare s.qcow2 a.raw
img "but info works" 0 "backing file: t.qcow2" info s.qcow2
"$mkvm" img create -q -u -f qcow2 -b s.qcow2 -F qcow2 t.qcow2 1M
img "a chain that bites its tail" 2 "comes back to itself" compare s.qcow2 a.raw
i=0
while [ $i -lt 202 ]; do
	"$mkvm" img create -q -u -f qcow2 -o cluster_size=512 -b "$((i + 1))" -F qcow2 $i 64K
	i=$((i + 1))
done
"$mkvm" img create -q -f qcow2 202 64K
img "a chain of 203" 1 "longer than 200" info --backing-chain 0
img "a chain of 200" 0 "image: 202" info --backing-chain 3
"$mkvm" img create -q -u -f qcow2 -b a.raw u.qcow2 10M
status=0
"$mkvm" img compare a.raw u.qcow2 >o1 2>e1 || status=$?
check "a raw backing image by guess: a warning" grep -q "taken for raw" e1
check "but it works" test $status -eq 0
"$mkvm" img create -q -u -f qcow2 -b nbd:localhost:1 -F raw n.qcow2 1M
img "a backing image that is no file" 2 "only files are supported" compare n.qcow2 a.raw

# what must not happen
img "convert onto itself" 1 "in use by another reader" convert a.raw a.raw
check "changes nothing" same_size a.raw 10485760
img "convert into a smaller one" 1 "too few" convert -n a.raw b.raw
img "convert from nothing" 1 "No such file" convert nofile f.raw
img "convert -c into raw" 1 "cannot be compressed" convert -c a.raw f.raw
img "convert with a bad option" 1 "no option 'frob'" convert -o frob=1 a.raw f.raw
img "convert into VMDK" 1 "can only be read" convert -O vmdk a.raw f.raw
img "convert -n with -o" 1 "nothing is created" convert -n -o static=on a.raw b.raw
status=0
# 2 MiB, in the shell's blocks.
(ulimit -f 4096; exec "$mkvm" img convert -S 0 -O vdi a.raw f.raw) >o1 2>e1 || status=$?
check "a file system that takes no more" grep -q "cannot write to it: File too large" e1
check "is an error" test $status -eq 1
check "none of them left a file" gone f.raw
mkfifo pipe
img "a FIFO is no image" 1 "neither a file nor a block device" info pipe

# An interrupted convert takes its target away; 512 MiB take longer than this.
head -c 536870912 /dev/zero | tr '\0' y >large
"$mkvm" img convert -O vdi large g.vdi >out 2>err &
pid=$!
i=0
while [ ! -s g.vdi ] && [ $i -lt 100 ]; do sleep 0.02; i=$((i + 1)); done
kill -TERM $pid 2>/dev/null || true
status=0
wait $pid || status=$?
if [ $status -eq 0 ]; then
	skip_point "an interrupted convert" "it was faster than the signal"
else
	check "an interrupted convert ends by the signal" test $status -eq 143
fi
[ $status -eq 0 ] || check "and leaves nothing" gone g.vdi
rm -f large g.vdi

# Other programs' locks, and ours to them.
if command -v qemu-io >/dev/null; then
	hold() { # hold OPTION...: qemu-io has an image open until "release"
		mkfifo go
		qemu-io "$@" <go >out 2>&1 &
		pid=$!
		exec 3>go
		echo "read 0 512" >&3
		i=0
		while ! grep -q "read 512" out && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
	}
	release() { exec 3>&-; wait $pid || true; rm -f go; }
	hold -f raw a.raw
	s1=0 s2=0 s3=0
	"$mkvm" img info a.raw >o1 2>err || s1=$?
	"$mkvm" img resize a.raw +1M >o2 2>>err || s2=$?
	"$mkvm" img info -U a.raw >o3 2>>err || s3=$?
	release
	check "QEMU writes: we do not read" test $s1 -eq 1
	check "nor write" test $s2 -eq 1
	check "but look, when told so" test $s3 -eq 0
	hold -r -f vdi c.vdi
	s1=0 s2=0
	"$mkvm" img info c.vdi >o1 2>err || s1=$?
	"$mkvm" img check -r all c.vdi >o2 2>e2 || s2=$?
	release
	check "QEMU reads: so do we" test $s1 -eq 0
	check "but do not write" test $s2 -eq 1
	check "and say why" grep -q "in use by another reader" e2
else
	for what in "QEMU writes: we do not read" "QEMU reads: so do we"; do
		skip_point "$what" "qemu-io is not installed"
	done
fi

end_points
