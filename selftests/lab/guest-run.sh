#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs on the lab host, or on the machine itself, with the module loaded: starts the Debian guest
# under mkvm and returns the status of the command that ran in it. Settings are in ./guest-run.env.
set -eu
. ./guest-run.env
status_file=$PWD/guest-status
rm -f "$status_file"
# The root file system is this run's own copy.
code=0
# shellcheck disable=SC2086
./mkvm run --accel "$accel" -m "$mem" -smp "$cpus" -name debian -kernel ./guest-vmlinuz \
	-initrd ./guest-initrd -append "$append" -drive file=./guest-root.img,format=raw,if=virtio \
	-serial stdio -serial "file:$status_file" -nographic --no-reboot $extra || code=$?
[ ! -d /lab/out ] || cp "$status_file" /lab/out/ 2>/dev/null || true
if [ "$code" -ne 0 ]; then
	echo "guest: mkvm ended with status $code" >&2
	exit "$code"
fi
status=$(sed -n 's/^status \([0-9]*\).*/\1/p' "$status_file" | head -n 1)
if [ -z "$status" ]; then
	echo "guest: it powered off without telling the command's status" >&2
	exit 1
fi
exit "$status"
