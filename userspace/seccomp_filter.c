// SPDX-License-Identifier: GPL-2.0
/*
 * System call filters: one table says which kind of thread may make which call.
 *
 * What is not in the table raises SIGSYS in the thread that tried; the handler says which call it
 * was and ends the process by that signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/vhost.h>

#include "minikvm.h"
#include "report.h"
#include "sandbox.h"
#include "seccomp_filter.h"
#include "term.h"
#include "types.h"

#define MAIN	BIT(SANDBOX_MAIN)
#define VCPU	BIT(SANDBOX_VCPU)
#define DISK	BIT(SANDBOX_DISK)
#define NET	BIT(SANDBOX_NET)
#define USERNET	BIT(SANDBOX_USERNET)
#define SMALL	BIT(SANDBOX_SMALL)
#define ALL	(BIT(NR_SANDBOX_KINDS) - 1)
/* Threads that start others. What these may do, their threads can do at most. */
#define PARENTS	(MAIN | DISK | USERNET)

static const char *const kind_names[NR_SANDBOX_KINDS] = {
	[SANDBOX_MAIN] = "main", [SANDBOX_VCPU] = "vCPU", [SANDBOX_DISK] = "disk",
	[SANDBOX_NET] = "network", [SANDBOX_USERNET] = "user network",
	[SANDBOX_SMALL] = "device",
};

static __thread enum sandbox_kind current_kind;

struct rule {
	int call;
	u32 kinds;
};

/* Allowed whatever the arguments are. */
static const struct rule plain[] = {
	/* descriptors that are open */
	{ SCMP_SYS(read), ALL }, { SCMP_SYS(write), ALL },
	{ SCMP_SYS(readv), ALL }, { SCMP_SYS(writev), ALL },
	{ SCMP_SYS(pread64), ALL }, { SCMP_SYS(pwrite64), ALL },
	{ SCMP_SYS(preadv), ALL }, { SCMP_SYS(pwritev), ALL },
	{ SCMP_SYS(preadv2), ALL }, { SCMP_SYS(pwritev2), ALL },
	{ SCMP_SYS(close), ALL }, { SCMP_SYS(fstat), ALL }, { SCMP_SYS(newfstatat), ALL },
	{ SCMP_SYS(lseek), ALL }, { SCMP_SYS(fcntl), ALL },
	{ SCMP_SYS(poll), ALL }, { SCMP_SYS(ppoll), ALL },
	{ SCMP_SYS(epoll_wait), ALL }, { SCMP_SYS(epoll_pwait), ALL },
	{ SCMP_SYS(epoll_pwait2), ALL }, { SCMP_SYS(epoll_ctl), ALL },
	{ SCMP_SYS(select), ALL }, { SCMP_SYS(pselect6), ALL },
	{ SCMP_SYS(epoll_create1), ALL }, { SCMP_SYS(eventfd2), ALL },
	{ SCMP_SYS(timerfd_create), ALL }, { SCMP_SYS(timerfd_settime), ALL },
	{ SCMP_SYS(timerfd_gettime), ALL },
	/* memory, locks, time, signals, the thread's end */
	{ SCMP_SYS(munmap), ALL }, { SCMP_SYS(mremap), ALL }, { SCMP_SYS(madvise), ALL },
	{ SCMP_SYS(brk), ALL }, { SCMP_SYS(futex), ALL }, { SCMP_SYS(sched_yield), ALL },
	/* sysinfo: of qsort(), which asks how much memory it may take */
	{ SCMP_SYS(sysinfo), ALL }, { SCMP_SYS(sched_getaffinity), ALL },
	{ SCMP_SYS(membarrier), ALL },
	{ SCMP_SYS(clock_gettime), ALL }, { SCMP_SYS(clock_getres), ALL },
	{ SCMP_SYS(clock_nanosleep), ALL }, { SCMP_SYS(nanosleep), ALL },
	{ SCMP_SYS(gettimeofday), ALL }, { SCMP_SYS(time), ALL },
	{ SCMP_SYS(getrandom), ALL }, { SCMP_SYS(getpid), ALL }, { SCMP_SYS(gettid), ALL },
	{ SCMP_SYS(tgkill), ALL }, { SCMP_SYS(rt_sigaction), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL }, { SCMP_SYS(rt_sigreturn), ALL },
	{ SCMP_SYS(sigaltstack), ALL }, { SCMP_SYS(restart_syscall), ALL },
	{ SCMP_SYS(rseq), ALL }, { SCMP_SYS(set_robust_list), ALL },
	{ SCMP_SYS(exit), ALL }, { SCMP_SYS(exit_group), ALL },
	/* sockets that are open: consoles, networks */
	{ SCMP_SYS(sendto), ALL }, { SCMP_SYS(sendmsg), ALL },
	{ SCMP_SYS(recvfrom), ALL }, { SCMP_SYS(recvmsg), ALL },
	{ SCMP_SYS(sendmmsg), NET | USERNET | MAIN }, { SCMP_SYS(recvmmsg), NET | USERNET | MAIN },
	{ SCMP_SYS(shutdown), ALL }, { SCMP_SYS(getsockopt), ALL },
	{ SCMP_SYS(accept4), MAIN | NET | USERNET },
	{ SCMP_SYS(accept), MAIN | NET | USERNET },
	{ SCMP_SYS(setsockopt), MAIN | NET | USERNET },
	{ SCMP_SYS(getsockname), MAIN | NET | USERNET },
	{ SCMP_SYS(getpeername), MAIN | NET | USERNET },
	/* disks */
	{ SCMP_SYS(fsync), MAIN | VCPU | DISK }, { SCMP_SYS(fdatasync), MAIN | VCPU | DISK },
	{ SCMP_SYS(fallocate), MAIN | VCPU | DISK }, { SCMP_SYS(ftruncate), MAIN | VCPU | DISK },
	{ SCMP_SYS(sync_file_range), MAIN | DISK }, { SCMP_SYS(fstatfs), MAIN | DISK },
	{ SCMP_SYS(statx), MAIN | DISK }, { SCMP_SYS(fadvise64), MAIN | DISK },
	{ SCMP_SYS(copy_file_range), MAIN | DISK },
	{ SCMP_SYS(io_uring_setup), MAIN | DISK }, { SCMP_SYS(io_uring_register), MAIN | DISK },
	{ SCMP_SYS(io_uring_enter), MAIN | VCPU | DISK },
	/* the user network: sockets for the guest */
	{ SCMP_SYS(socket), MAIN | USERNET }, { SCMP_SYS(connect), MAIN | USERNET },
	{ SCMP_SYS(bind), MAIN | USERNET }, { SCMP_SYS(listen), MAIN | USERNET },
	{ SCMP_SYS(socketpair), MAIN | USERNET }, { SCMP_SYS(uname), MAIN | USERNET },
	{ SCMP_SYS(getuid), MAIN | USERNET }, { SCMP_SYS(geteuid), MAIN | USERNET },
	/* the end: removing what the process made; the beginning of other threads */
	{ SCMP_SYS(unlink), MAIN }, { SCMP_SYS(unlinkat), MAIN },
	{ SCMP_SYS(flock), MAIN }, { SCMP_SYS(pipe2), MAIN },
	{ SCMP_SYS(dup3), MAIN }, { SCMP_SYS(readlink), MAIN },
	{ SCMP_SYS(getrusage), MAIN },
	{ SCMP_SYS(wait4), MAIN }, /* for the process that removes a macvtap */
	{ SCMP_SYS(signalfd4), MAIN }, { SCMP_SYS(prlimit64), PARENTS },
	{ SCMP_SYS(getpriority), MAIN }, { SCMP_SYS(rt_sigtimedwait), MAIN | VCPU },
	/* A thread that starts another lets it set its own, narrower filter. */
	{ SCMP_SYS(seccomp), PARENTS },
	{ SCMP_SYS(rt_sigsuspend), MAIN | VCPU },
};

/**
 * struct arg_rule - allowed if (argument @arg & @mask) == @value
 */
struct arg_rule {
	int call;
	u32 kinds;
	unsigned int arg;
	u64 mask;
	u64 value;
};

#define IOCTL(n, k)	{ SCMP_SYS(ioctl), (k), 1, 0xffffffff, (n) }
/* All ioctls of one type, the second byte of their number. */
#define IOCTL_TYPE(t, k) { SCMP_SYS(ioctl), (k), 1, 0xff00, (u64)(t) << 8 }

static const struct arg_rule checked[] = {
	/* Memory never becomes code. */
	{ SCMP_SYS(mmap), ALL, 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), ALL, 2, PROT_EXEC, 0 },
	/* Threads, not processes; see below for clone3. */
	{ SCMP_SYS(clone), PARENTS, 0, CLONE_THREAD, CLONE_THREAD },
	{ SCMP_SYS(prctl), ALL, 0, 0xffffffff, PR_SET_NAME },
	{ SCMP_SYS(prctl), PARENTS, 0, 0xffffffff, PR_SET_NO_NEW_PRIVS },
	/* Reading only, for what the C library and statistics read. */
	{ SCMP_SYS(openat), MAIN | USERNET, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	{ SCMP_SYS(open), MAIN | USERNET, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	/* The accelerator: devices drive interrupt lines in every thread. */
	IOCTL_TYPE(MINIKVMIO, ALL),
	IOCTL(FIONBIO, MAIN | NET | USERNET),
	IOCTL(FIONREAD, MAIN | NET | USERNET),
	/* Terminals. Not TIOCSTI, which types. */
	IOCTL(TCGETS, MAIN), IOCTL(TCSETS, ALL), IOCTL(TCSETSW, MAIN), IOCTL(TCSETSF, MAIN),
	IOCTL(TIOCGWINSZ, MAIN),
	/* Block devices and the memory behind files. */
	IOCTL_TYPE(0x12, MAIN | DISK),
	/* Taps: offloads, queues, filters as the driver negotiates them. */
	IOCTL(TUNSETOFFLOAD, MAIN | VCPU | NET), IOCTL(TUNSETVNETHDRSZ, MAIN | VCPU | NET),
	IOCTL(TUNSETQUEUE, MAIN | VCPU | NET), IOCTL(TUNGETFEATURES, MAIN | NET),
	IOCTL(TUNGETIFF, MAIN | NET),
	/* vhost-net: the device's thread starts it, a reset or a pause stops it. */
	IOCTL(VHOST_SET_FEATURES, NET), IOCTL(VHOST_SET_VRING_NUM, NET),
	IOCTL(VHOST_SET_VRING_BASE, NET), IOCTL(VHOST_SET_VRING_ADDR, NET),
	IOCTL(VHOST_NET_SET_BACKEND, MAIN | VCPU | NET),
	IOCTL(VHOST_GET_VRING_BASE, MAIN | VCPU | NET),
};

static int add_rules(scmp_filter_ctx ctx, u32 kind)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(plain) && !err; i++) {
		if (plain[i].kinds & kind)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain[i].call, 0);
	}
	for (i = 0; i < ARRAY_SIZE(checked) && !err; i++) {
		const struct arg_rule *r = &checked[i];

		if (r->kinds & kind)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 1,
					       SCMP_CMP(r->arg, SCMP_CMP_MASKED_EQ, r->mask,
							r->value));
	}
	/* Its flags are in memory, where a filter cannot see them: the C library falls back to clone. */
	if (!err && (PARENTS & kind))
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err;
}

/* In the thread that tried, at once: nothing is locked that the report needs. */
static void on_violation(int sig, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(info->si_arch, info->si_syscall);

	(void)context;
	term_restore();
	report("the %s thread tried system call %s (%d), which the sandbox does not allow; "
	       "'--sandbox off' runs without it", kind_names[current_kind],
	       name ? name : "of an unknown name", info->si_syscall);
	signal(sig, SIG_DFL);
	raise(sig);
}

int seccomp_filter_init(void)
{
	struct sigaction sa = { .sa_sigaction = on_violation, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigemptyset(&sa.sa_mask);
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return report("this kernel has no system call filters; '--sandbox off' runs without");
	if (sigaction(SIGSYS, &sa, NULL))
		return report("cannot set up signals: %s", strerror(errno));
	return 0;
}

int seccomp_filter_load(enum sandbox_kind kind)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err = ctx ? 0 : -ENOMEM;

	current_kind = kind;
	/* A search tree instead of a list: vCPU and network threads make many calls. */
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = add_rules(ctx, BIT(kind));
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
