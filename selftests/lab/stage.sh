# SPDX-License-Identifier: GPL-2.0
# Sourced by lab: builds the lab host's initramfs, $work/initramfs, from what was asked for.
# shellcheck shell=bash disable=SC2154

# Content-keyed cache: $state/cache/NAME-KEY, where KEY is the hash of the inputs, so what
# is stale is never found. Usage: cached NAME INPUT... ; sets cached_file, true if it exists.
cached() {
	local name=$1 key
	shift
	key=$(cat "$@" | sha256sum | cut -c1-32)
	cached_file=$state/cache/$name-$key
	[ -e "$cached_file" ]
}

# Moves a finished file into the cache at once, so that no run sees half of it.
publish() { mv "$1" "$cached_file"; }

build_tool() {
	local name=$1
	shift
	cached "$name" "$here/$name.c" && return
	${CC:-cc} -O2 -Wall -Wextra -Werror "$@" -o "$work/$name" "$here/$name.c" || die "cannot build $name.c"
	publish "$work/$name"
}

build_rom() {
	local sectors=2
	cached bootrom "$here/bootrom.S" "$bootdisk" && return
	${CC:-cc} -c -DROM_SECTORS=$sectors -o "$work/bootrom.o" "$here/bootrom.S" &&
		ld -m elf_x86_64 -Ttext=0xd0000 -e _start --oformat binary -o "$work/bootrom" "$work/bootrom.o" &&
		[ "$(stat -c %s "$work/bootrom")" -eq $((sectors * 512)) ] &&
		"$bootdisk" --checksum "$work/bootrom" || die "cannot build bootrom.S"
	publish "$work/bootrom"
}

le32() { od -An -tu4 -j "$2" -N 4 "$1" | tr -d ' '; }

# Unpacks the ELF kernel that a bzImage carries ("The Linux/x86 Boot Protocol", payload_offset).
extract_kernel() {
	local setup start size unpack
	cached vmlinux "$kernel" && return
	[ "$(od -An -c -j 514 -N 4 "$kernel" | tr -d ' ')" = HdrS ] || die "$kernel: not a bzImage"
	setup=$(od -An -tu1 -j 497 -N 1 "$kernel" | tr -d ' ')
	start=$(((setup + 1) * 512 + $(le32 "$kernel" 584)))
	size=$(le32 "$kernel" 588)
	case $(od -An -tx1 -j $start -N 4 "$kernel" | tr -d ' ') in
	fd377a58) unpack="xz -dc --single-stream" ;;
	28b52ffd) unpack="zstd -dcq" ;;
	1f8b*) unpack="gzip -dc" ;;
	02214c18) unpack="lz4 -dcq" ;;
	*) die "$kernel: a compression this lab does not know" ;;
	esac
	# Four bytes of uncompressed size follow the stream; some unpackers grumble about them.
	tail -c +$((start + 1)) "$kernel" | head -c "$size" | $unpack >"$work/vmlinux" 2>/dev/null || true
	[ "$(stat -c %s "$work/vmlinux")" -ge "$(tail -c +$((start + size - 3)) "$kernel" | head -c 4 |
		od -An -tu4 | tr -d ' ')" ] || die "$kernel: cannot unpack it"
	publish "$work/vmlinux"
}

# Copies one module to the stage under its plain name, uncompressed.
stage_ko() {
	local file=$1 name
	name=$(basename "$file"); name=${name%%.ko*}; name=${name//-/_}
	[ -e "$mods/$name.ko" ] && { echo "$name"; return; }
	case "$file" in
	*.ko) cp "$file" "$mods/$name.ko" ;;
	*.ko.xz) xz -dc "$file" >"$mods/$name.ko" ;;
	*.ko.zst) zstd -qdc "$file" >"$mods/$name.ko" ;;
	*) die "module '$file': not a .ko, .ko.xz or .ko.zst file" ;;
	esac
	echo "$name"
}

# Resolves a module name to the files to load, dependencies first.
module_files() {
	modprobe --set-version "$kver" --show-depends --ignore-install "$1" 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p'
}

# Stages a module, by name or file, with what it depends on; sets staged_module to the
# name and the parameters that followed it.
stage_module() {
	local spec=$1 dep file plain
	# shellcheck disable=SC2086
	set -- $spec
	if [ -f "$1" ]; then
		plain=$(stage_ko "$1")
		# A module of one's own comes with its debugging information, ten times the module.
		strip --strip-debug "$mods/$plain.ko"
		for dep in $(modinfo -F depends "$1" | tr , ' '); do
			for file in $(module_files "$dep"); do stage_ko "$file" >/dev/null; done
		done
	else
		case "$1" in */*|*.ko) die "module '$1': no such file" ;; esac
		modprobe --set-version "$kver" --show-depends "$1" >/dev/null 2>&1 ||
			die "module '$1': not a module of kernel $kver"
		plain=${1//-/_}
		for file in $(module_files "$1"); do stage_ko "$file" >/dev/null; done
	fi
	shift
	staged_module="$plain $*"
}

# Ships the shared libraries of a dynamically linked program at their own paths.
stage_libraries() {
	local lib
	case $(head -c4 "$1" | od -An -tx1) in *"7f 45 4c 46"*) ;; *) return 0 ;; esac
	# ldd fails on what is static or foreign; then there is nothing to ship.
	for lib in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true); do
		[ -e "$root$lib" ] && continue
		mkdir -p "$root$(dirname "$lib")"
		cp -L "$lib" "$root$lib"
	done
}

# Installs busybox, $busybox, with a link for each of its programs under $1/bin.
applets() {
	local f
	cp "$busybox" "$1/bin/busybox"
	for f in $("$busybox" --list); do
		[ "$f" = busybox ] || ln -s /bin/busybox "$1/bin/$f"
	done
}

# A path inside the lab host for HOST[:LABPATH].
lab_path() {
	case "$1" in
	*:/*) echo "${1##*:}" ;;
	*) echo "/lab/$(basename "$1")" ;;
	esac
}

stage_file() {
	local from=${1%%:/*} to
	case "$1" in *:/*) ;; *:*) die "--file '$1': the path in the lab must be absolute" ;; esac
	to=$(lab_path "$1")
	[ -f "$from" ] || die "--file '$from': no such file"
	mkdir -p "$root$(dirname "$to")"
	cp --sparse=always -L "$from" "$root$to"
	stage_libraries "$from"
}

stage_tree() {
	local from=${1%%:/*} to file
	to=$(lab_path "$1")
	[ -d "$from" ] || die "--tree '$from': no such directory"
	mkdir -p "$root$to"
	cp -a "$from/." "$root$to/"
	while read -r file; do stage_libraries "$file"; done < <(find "$from" -type f -perm -100)
}

stage_initramfs() {
	local m f
	root=$work/root mods=$work/root/lib/modules/$kver
	mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,run,root,etc,var,usr/bin,usr/sbin,lab/bin,lab/out} "$mods"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for f in $("$root/bin/busybox" --list); do
		[ "$f" = busybox ] || ln -s /bin/busybox "$root/bin/$f"
	done
	build_tool e9 -static
	cp "$cached_file" "$root/bin/e9"
	ln -s ../bin/busybox "$root/sbin/modprobe"
	cp "$here/host-init" "$root/init"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	printf 'root:x:0:\nkvm:x:104:\n' >"$root/etc/group"
	: >"$root/lab/.modules"
	for m in ${modules[@]+"${modules[@]}"}; do
		stage_module "$m"
		echo "$staged_module" >>"$root/lab/.modules"
	done
	for m in ${ships[@]+"${ships[@]}"}; do stage_module "$m"; done
	if [ ${#modules[@]} -gt 0 ] || [ ${#ships[@]} -gt 0 ]; then
		cp "/lib/modules/$kver/modules.builtin" "$mods/"
		: >"$mods/modules.order"
		depmod -b "$root" "$kver" 2>"$work/depmod.err" || die "depmod: $(cat "$work/depmod.err")"
	fi
	for f in ${files[@]+"${files[@]}"}; do stage_file "$f"; done
	for f in ${trees[@]+"${trees[@]}"}; do stage_tree "$f"; done
	if [ -n "$script" ]; then
		cp "$script" "$root/lab/.script"
	elif [ ${#command[@]} -gt 0 ]; then
		if [ ${#command[@]} -eq 1 ]; then
			printf '%s\n' "${command[0]}" >"$root/lab/.script"
		else
			{ printf '%q ' "${command[@]}"; echo; } >"$root/lab/.script"
		fi
	else
		printf 'exec sh -i\n' >"$root/lab/.script"
	fi
	if [ -n "$interactive" ]; then
		{
			echo interactive=1
			stty size 2>/dev/null | awk '{ print "rows=" $1; print "cols=" $2 }'
		} >"$root/lab/.env"
	fi
	(cd "$root" && find . | cpio --quiet -R 0:0 -o -H newc) >"$work/initramfs"
	note "initramfs: $(stat -c %s "$work/initramfs") bytes"
}
