// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm run`: checks everything that can be wrong before it starts anything, then runs the guest
 * until an event ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "block/block.h"
#include "chardev.h"
#include "control/console.h"
#include "control/control.h"
#include "control/entry.h"
#include "cpuid.h"
#include "dry_run.h"
#include "daemon.h"
#include "machine.h"
#include "net/net.h"
#include "report.h"
#include "run.h"
#include "sandbox.h"
#include "term.h"
#include "types.h"
#include "vcpu.h"

/* Signals that end the guest, and the two that suspend and resume the process. */
static const int handled_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT };

static int open_disks(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_drives; i++) {
		const struct drive_config *d = &m->cfg->drive[i];
		struct block_options opts = { .format = d->format, .readonly = d->readonly,
					      .direct = d->direct };
		bool snapshot = d->snapshot || (m->cfg->snapshot && !d->readonly);

		m->disk[i] = snapshot ? block_open_snapshot(d->path, &opts) :
					block_open(d->path, &opts);
		if (!m->disk[i])
			return -1;
	}
	return 0;
}

static int open_nets(struct machine *m)
{
	const struct net_config *net = &m->cfg->net;
	unsigned int i;

	for (i = 0; i < net->nr_nics; i++) {
		unsigned int nr = net->nic[i].backend;

		m->net[nr] = net_open(&net->netdev[nr], net->nic[i].mac);
		if (!m->net[nr])
			return -1;
	}
	return 0;
}

static int open_streams(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_serials; i++) {
		if (m->cfg->serial[i].kind == CHARDEV_NONE)
			continue;
		m->serial[i] = chardev_open(&m->cfg->serial[i], m);
		if (!m->serial[i])
			return -1;
		if (m->console_port || m->cfg->serial[i].kind == CHARDEV_STDIO)
			continue;
		m->console = console_create(&m->loop);
		if (!m->console)
			return -1;
		m->console_port = m->serial[i];
		chardev_record(m->console_port, m->console);
	}
	for (i = 0; i < m->cfg->nr_chardevs; i++) {
		if (m->cfg->chardev[i].kind == CHARDEV_NONE)
			continue;
		m->chardev[i] = chardev_open(&m->cfg->chardev[i], m);
		if (!m->chardev[i])
			return -1;
	}
	return 0;
}

/* Call @fn on each stream. Return -1 as soon as one does. */
static int each_stream(struct machine *m, int (*fn)(struct chardev *chr))
{
	unsigned int i;

	for (i = 0; i < MAX_SERIALS; i++) {
		if (m->serial[i] && fn(m->serial[i]))
			return -1;
	}
	for (i = 0; i < MAX_CHARDEVS; i++) {
		if (m->chardev[i] && fn(m->chardev[i]))
			return -1;
	}
	return 0;
}

static int check_limits(const struct machine *m)
{
	unsigned int bits = cpuid_phys_bits(m->accel.cpuid);
	u64 size = m->cfg->mem_size;
	u64 end = size > RAM_LOW_MAX ? RAM_HIGH_BASE + (size - RAM_LOW_MAX) : size;

	if (m->cfg->nr_vcpus > m->accel.max_vcpus)
		return report("-smp %u: %s allows at most %u CPUs", m->cfg->nr_vcpus, m->accel.path,
			      m->accel.max_vcpus);
	if (bits < 64 && end > 1ULL << bits)
		return report("-m: %llu MiB do not fit into the CPU's %u-bit physical addresses",
			      size / MIB, bits);
	return 0;
}

static int write_pidfile(const char *path)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, (size_t)len) != len) {
		report("-pidfile %s: cannot write it: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* Signals are read from a descriptor, by the main thread; all threads block them. */
static int signals_fd(void)
{
	struct sigaction hup;
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(handled_signals); i++)
		sigaddset(&set, handled_signals[i]);
	/* Started by nohup: keep ignoring what it ignores. */
	if (!sigaction(SIGHUP, NULL, &hup) && hup.sa_handler == SIG_IGN)
		sigdelset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return report("cannot create a signalfd: %s", strerror(errno));
	return fd;
}

struct signal_source {
	struct machine *m;
	int fd;
};

static void signal_ready(void *opaque)
{
	struct signal_source *s = opaque;
	struct signalfd_siginfo info;

	while (read(s->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			term_restore();
			raise(SIGSTOP);
			term_resume();
			break;
		case SIGCONT:
			term_resume();
			break;
		default:
			machine_post(s->m, MACHINE_SIGNAL + (int)info.ssi_signo);
			break;
		}
	}
}

/* Everything that can fail because of what the user gave us. Outputs come last. */
static int prepare(struct machine *m, struct boot_source *boot, struct entry *entry)
{
	if (boot_open(boot, m->cfg) || open_disks(m) || open_nets(m) || accel_open(&m->accel, m->cfg->accel) ||
	    check_limits(m))
		return -1;
	m->vm.accel = &m->accel;
	if (entry_claim(entry, m->cfg->name) || open_streams(m))
		return -1;
	if (m->cfg->log && daemon_log(m->cfg->log))
		return -1;
	if (!m->cfg->pidfile)
		return 0;
	m->pidfile_written = !write_pidfile(m->cfg->pidfile);
	return m->pidfile_written ? 0 : -1;
}

static int feed(struct chardev *chr)
{
	chardev_feed(chr);
	return 0;
}

static int close_stream(struct chardev *chr)
{
	chardev_close(chr);
	return 0;
}

/*
 * One life of the guest, from power-on to the event that ends it. @first: the terminal is not ours
 * yet.
 */
static int run_once(struct machine *m, int first)
{
	int event = -1;

	atomic_store(&m->event, MACHINE_RUNNING);
	machine_reset(m);
	if (boot_load(&m->boot, &m->mem) || vm_create(&m->vm, &m->mem))
		return -1;
	if (vcpu_create_all(m) || (first && each_stream(m, chardev_start)))
		goto out;
	daemon_ready();
	if (!vcpu_start_all(m)) {
		while (!machine_stopping(m)) {
			machine_pause_settle(m);
			control_serve(m);
			loop_wait(&m->loop);
			each_stream(m, feed);
		}
		/* The reply to what ended it. */
		control_serve(m);
		event = atomic_load(&m->event);
	}
	vcpu_stop_all(m);
out:
	vcpu_destroy_all(m);
	machine_reset(m);
	vm_destroy(&m->vm);
	return event;
}

/* QMP's ShutdownCause. */
static const char *cause_of(const struct machine *m, int event)
{
	switch (event) {
	case MACHINE_POWEROFF:
		return "guest-shutdown";
	case MACHINE_RESET:
		return m->host_asked ? "host-qmp-system-reset" : "guest-reset";
	case MACHINE_TRIPLE_FAULT:
		return "guest-panic";
	case MACHINE_QUIT:
		return m->host_asked ? "host-qmp-quit" : "host-ui";
	default:
		return event > MACHINE_SIGNAL ? "host-signal" : "host-error";
	}
}

static void tell_end(struct machine *m, int event)
{
	bool reset = event == MACHINE_RESET && !m->cfg->no_reboot;
	const char *cause = cause_of(m, event);

	control_event(m, reset ? "RESET" : "SHUTDOWN", "{s:b,s:s}", "guest",
		      !strncmp(cause, "guest", 5), "reason", cause);
	m->host_asked = false;
}

static void tell_pause(struct machine *m, bool running)
{
	control_event(m, running ? "RESUME" : "STOP", NULL);
}

static int run_guest(struct machine *m)
{
	int event, first = 1;

	m->pause.on_change = tell_pause;
	if (m->cfg->start_paused)
		machine_pause(m, PAUSE_PRELAUNCH);
	do {
		event = run_once(m, first);
		first = 0;
		tell_end(m, event);
	} while (event == MACHINE_RESET && !m->cfg->no_reboot);

	switch (event) {
	case MACHINE_POWEROFF:
	case MACHINE_QUIT:
		return EXIT_POWEROFF;
	case MACHINE_RESET:
		return EXIT_RESET;
	case MACHINE_TRIPLE_FAULT:
		report("the guest shut down with a triple fault");
		return EXIT_TRIPLE_FAULT;
	case MACHINE_VCPU_ERROR:
		return EXIT_VCPU_ERROR;
	default:
		return event > MACHINE_SIGNAL ? EXIT_SIGNAL_BASE + event - MACHINE_SIGNAL :
						EXIT_ERROR;
	}
}

static void cleanup(struct machine *m)
{
	unsigned int i;

	each_stream(m, close_stream);
	console_destroy(m->console);
	for (i = 0; i < MAX_DRIVES; i++)
		block_close(m->disk[i]);
	for (i = 0; i < MAX_NETS; i++) {
		if (m->net[i])
			m->net[i]->ops->close(m->net[i]);
	}
	boot_close(&m->boot);
	accel_close(&m->accel);
	if (m->pidfile_written)
		(void)unlink(m->cfg->pidfile);
}

/* Nothing on the host changes: no outputs, no sockets, no interfaces, no entry. */
static int describe_machine(const struct config *cfg)
{
	static struct machine machine;
	struct config plan = *cfg;
	struct machine *m = &machine;
	int status = EXIT_ERROR;

	plan.mem_path = NULL;
	plan.mem_prealloc = false;
	m->cfg = &plan;
	m->vm.fd = -1;
	m->accel.fd = -1;
	if (!boot_open(&m->boot, m->cfg) && !open_disks(m) && !loop_init(&m->loop)) {
		status = dry_run(m, cfg->dry_run_json) ? EXIT_ERROR : EXIT_POWEROFF;
		loop_destroy(&m->loop);
	}
	cleanup(m);
	return status;
}

static int run_config(const struct config *cfg)
{
	static struct machine machine;
	struct machine *m = &machine;
	struct signal_source signals = { .m = m, .fd = -1 };
	struct loop_source signal_source = { .ready = signal_ready };
	struct entry entry = { .name = NULL };
	int status = EXIT_ERROR;

	/*
	 * One heap for all threads: none of them allocates where it matters, and each heap of its
	 * own costs memory, and a look into /sys that the sandbox does not allow.
	 */
	mallopt(M_ARENA_MAX, 1);
	m->cfg = cfg;
	m->vm.fd = -1;
	m->accel.fd = -1;
	if (prepare(m, &m->boot, &entry) || loop_init(&m->loop))
		goto out;
	signals.fd = signals_fd();
	signal_source.fd = signals.fd;
	signal_source.opaque = &signals;
	if (signals.fd < 0 || vcpu_global_init() || loop_add(&m->loop, signal_source))
		goto out_loop;
	if (!machine_create(m) &&
	    !control_open(m, entry.dir_fd < 0 ? NULL : entry.socket, cfg->qmp) &&
	    !sandbox_enter(cfg) && !machine_start(m)) {
		/* The devices' threads have their own filters; vCPUs narrow this one. */
		sandbox_thread(SANDBOX_MAIN);
		status = run_guest(m);
	}
	machine_destroy(m);
	control_close(m);
out_loop:
	if (signals.fd >= 0)
		close(signals.fd);
	loop_destroy(&m->loop);
out:
	cleanup(m);
	entry_release(&entry);
	term_restore();
	return status;
}

int run_main(int argc, char **argv)
{
	struct config cfg;
	int status = EXIT_ERROR;

	switch (config_parse(&cfg, argc, argv)) {
	case CONFIG_OK:
		if (cfg.dry_run) {
			status = config_default_name(&cfg) ? EXIT_ERROR : describe_machine(&cfg);
			break;
		}
		if (cfg.process)
			(void)prctl(PR_SET_NAME, cfg.process);
		if (!(cfg.daemonize && daemon_fork(&status)) && !config_default_name(&cfg))
			status = run_config(&cfg);
		break;
	case CONFIG_DONE:
		status = EXIT_POWEROFF;
		break;
	case CONFIG_ERROR:
		break;
	}
	config_free(&cfg);
	return status;
}
