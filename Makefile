# SPDX-License-Identifier: GPL-2.0
# The front of mini-KVM: builds everything, and runs it on the machine or in the lab.
# The kernel's build system reads Kbuild, not this file.

# Kernel headers: KDIR=, or KVER= (a release, or its beginning: KVER=6.12), or the running
# kernel's, or else the newest installed.
ifndef KDIR
ifdef KVER
KDIR := $(shell ls -d /lib/modules/$(KVER)*/build 2>/dev/null | sort -V | tail -n 1)
else ifneq ($(wildcard /lib/modules/$(shell uname -r)/build/Makefile),)
KDIR := /lib/modules/$(shell uname -r)/build
else
KDIR := $(shell ls -d /lib/modules/*/build/Makefile 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname)
endif
endif

NEED := packages/need
J := -j$(shell nproc)
export LANE

.PHONY: all module userspace selftests run check check-host compat lab bench bench-vmm bench-vmcs compare clean help
.PHONY: install uninstall deb fuzz sdm-map
all: module userspace selftests

help:
	@echo 'make                 the module, the VMM and the selftests'
	@echo 'make run             a shell in a Debian guest; CMD="..." runs that and exits with its status'
	@echo 'make check           all tests (about 55 minutes in the lab)'
	@echo 'make check-host      the tests that need neither VT-x nor the lab'
	@echo 'make compat          programs of others on stock KVM and on mini-KVM, a table of both'
	@echo 'make lab             a shell on the lab host; selftests/lab/lab --help for more'
	@echo 'make compare         stock KVM and mini-KVM compared, with mkvm and QEMU; a table and .lab/compare.html'
	@echo 'make bench           the same of exits and a boot alone; OPTIONS="--bench cpuid" for some'
	@echo 'make bench-vmm       mkvm and QEMU compared, disk and network, on one stock KVM'
	@echo 'make bench-vmcs      VMREADs, VMWRITEs and WRMSRs of an exit, stock KVM and mini-KVM'
	@echo 'make fuzz            fuzzers, FUZZ_SECONDS=600 each; TARGETS="ring image-qcow2" for some'
	@echo 'make sdm-map         Documentation/sdm-map.rst, from the comments of the module'
	@echo 'make install         mkvm, man pages, completion, udev rule, module source for DKMS (DESTDIR, prefix)'
	@echo 'make uninstall       what that put there'
	@echo 'make deb             Debian packages, in deb/'
	@echo 'make clean           remove what was built, and the caches of the lab'
	@echo
	@echo 'KVER=6.1.0-56-amd64  build for that kernel (KVER=6.12: newest 6.12, from backports if need be)'
	@echo 'KDIR=DIR             build against those kernel headers'
	@echo 'LANE=native|vmx      run on this machine, or in the lab (default: what the machine can)'
	@echo 'W=1 C=2              passed to the kernel build: more warnings, sparse'

.PHONY: need-build need-lab need-check need-all-checks
need-build:
	@$(NEED) build
need-lab:
	@$(NEED) build lab
need-check:
	@$(NEED) build lab check

module: need-build
ifeq ($(KDIR),)
	@kdir=$$(selftests/lab/find-kdir $(KVER)) && $(MAKE) --no-print-directory module KDIR="$$kdir"
else
	$(MAKE) $(J) -C $(KDIR) M=$(CURDIR) $(if $(W),W=$(W)) $(if $(C),C=$(C)) modules
endif

userspace: need-build
	$(MAKE) $(J) -C userspace

.PHONY: bench-programs
bench-programs: need-build
	$(MAKE) $(J) -C selftests bench

selftests: need-build
	$(MAKE) $(J) -C selftests

# What may stand on make's command line as well as in the environment; CMD is taken as written.
RUN_VARS := CMD LANE GUEST_MEM GUEST_CPUS GUEST_APPEND HOST_CPUS HOST_MEM MKVM_OPTIONS TIMEOUT
RUN_ENV = $(foreach v,$(RUN_VARS),$(if $(value $(v)),$(v)='$(subst ','\'',$(value $(v)))'))

# make ends with status 2 whatever a recipe ends with; the loaded function ends it with the
# guest's or the shell's. make builds the object first and starts anew.
ifneq ($(filter run lab,$(MAKECMDGOALS)),)
-load .lab/make-exit.so(make_exit_setup)
.lab/make-exit.so: selftests/lab/make-exit.c
	@$(NEED) build lab
	@mkdir -p .lab
	@$(CC) -shared -fPIC -O2 -Wall -Wextra -Werror -o $@ $<
endif

# make expands a whole recipe before it runs its first line, so what must come first is a target.
.PHONY: run-needs
run-needs: need-lab
	@$(MAKE) --no-print-directory -s $(J) -C userspace

run: run-needs
	@:$(run-and-exit $(RUN_ENV) selftests/lab/run-guest)

need-all-checks:
	@$(NEED) build lab check
	@$(NEED) package fuzz || echo 'packages: what needs them will be skipped' >&2

check: need-all-checks
	@selftests/lab/check

check-host: need-check
	@selftests/lab/check-host

compat: need-check
	@selftests/lab/check compat-stock compat-minikvm qemu qemu-stock calls

fuzz:
	@$(NEED) build fuzz
	@$(foreach v,FUZZ_SECONDS FUZZ_JOBS,$(if $(value $(v)),$(v)='$(value $(v))')) selftests/fuzz/run $(TARGETS)

sdm-map:
	@Documentation/make-sdm-map >Documentation/sdm-map.new && mv Documentation/sdm-map.new Documentation/sdm-map.rst

lab: need-lab
	@:$(run-and-exit $(RUN_ENV) selftests/lab/run-shell)

bench compare: need-lab
	@selftests/bench/run.sh $@ $(OPTIONS)

bench-vmm: need-lab
	@$(NEED) bench
	@selftests/bench/vmm.sh

bench-vmcs: need-lab
	@selftests/bench/vmcs.sh

# Where to: DESTDIR and prefix, and the other directories that packaging/install names.
PLACES := DESTDIR prefix bindir datadir libdir mandir docdir udevdir srcdir
PLACES_ENV = $(foreach v,$(PLACES),$(if $(value $(v)),$(v)='$(subst ','\'',$(value $(v)))'))

install: userspace bench-programs
	@$(PLACES_ENV) packaging/install install all

uninstall:
	@$(PLACES_ENV) packaging/install uninstall all

deb:
	@$(NEED) build package
	@packaging/deb

clean:
	-[ -z "$(KDIR)" ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C userspace clean
	$(MAKE) -C selftests clean
	rm -rf .lab deb
