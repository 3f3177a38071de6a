#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host: a file system that is too small for its disk image. When the guest is paused
# because of that it grows, and the guest goes on.
set -u
small=$2/small
case "$1" in
prepare)
	mkdir "$small"
	mount -t tmpfs -o size=3m none "$small"
	truncate -s 16M "$small/disk.img" ;;
meanwhile)
	tries=0
	until ./mkvm info nospace 2>&1 | grep -q io-error; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || exit 1
		sleep 1
	done
	mount -o remount,size=32m "$small"
	# A request that failed before may be told of after the first time.
	while ./mkvm info nospace 2>&1 | grep -q io-error; do
		./mkvm resume nospace
		sleep 1
	done ;;
esac
