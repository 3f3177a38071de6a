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
	# Until it has ended. A look may fail where everything is slow, and a request that failed before may be
	# told of after the others: a guest that is paused again has nobody else to let it go on.
	tries=0
	while ./mkvm list 2>/dev/null | grep -q nospace && [ $tries -lt 600 ]; do
		! ./mkvm info nospace 2>&1 | grep -q io-error || ./mkvm resume nospace
		tries=$((tries + 1))
		sleep 1
	done ;;
esac
