// SPDX-License-Identifier: GPL-2.0
/*
 * Owns loading and unloading of stock KVM and mini-KVM, and the reasons why that fails.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compare/child.h"
#include "compare/modules.h"
#include "compare/result.h"
#include "proc_fds.h"
#include "report.h"

bool module_name(char *name, size_t size, const char *module)
{
	const char *base = strrchr(module, '/');
	size_t i, len;

	base = base ? base + 1 : module;
	len = strcspn(base, ".");
	if (!len || len >= size)
		return false;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)base[i]) && base[i] != '_' && base[i] != '-')
			return false;
		name[i] = base[i] == '-' ? '_' : base[i];
	}
	name[len] = '\0';
	return !base[len] || !strcmp(base + len, ".ko");
}

static bool is_file(const char *module)
{
	size_t len = strlen(module);

	return strchr(module, '/') || (len > 3 && !strcmp(module + len - 3, ".ko"));
}

static bool in_sysfs(const char *name, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/%s", name, file);
	return !access(path, F_OK);
}

static bool is_loaded(const char *name)
{
	return in_sysfs(name, "initstate");
}

static bool is_built_in(const char *name)
{
	return in_sysfs(name, "") && !is_loaded(name);
}

/* The two names of what keeps a module loaded. */
struct held {
	const char *device, *vm;
};

static int is_held(void *opaque, int fd, const char *link)
{
	const struct held *held = opaque;

	(void)fd;
	return !strcmp(link, held->device) || !strcmp(link, held->vm);
}

void module_holders(char *text, size_t size, const char *device, const char *vm)
{
	struct held held = { device, vm };
	char path[64], comm[32];
	DIR *proc = opendir("/proc");
	struct dirent *p;
	size_t len = 0;
	pid_t pid;
	FILE *f;

	*text = '\0';
	while (proc && (p = readdir(proc))) {
		pid = (pid_t)atoi(p->d_name);
		if (pid <= 0 || pid == getpid() || proc_fds(pid, is_held, &held) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		f = fopen(path, "re");
		if (!f || fscanf(f, "%31[^\n]", comm) != 1)
			strcpy(comm, "?");
		if (f)
			fclose(f);
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s (pid %d)",
						len ? ", " : "", comm, (int)pid);
	}
	if (proc)
		closedir(proc);
}

static int in_use(const char *name, bool minikvm)
{
	char holders[512];

	module_holders(holders, sizeof(holders), minikvm ? "/dev/minikvm" : "/dev/kvm",
		       minikvm ? "anon_inode:minikvm-vm" : "anon_inode:kvm-vm");
	return report("compare: module %s is in use by %s and cannot be unloaded", name,
		      *holders ? holders : "something that is no process (see lsmod)");
}

static int unload(const char *name, bool minikvm)
{
	int i;

	if (!is_loaded(name))
		return 0;
	/* What a VM that has just ended held may be let go a moment later. */
	for (i = 0; syscall(SYS_delete_module, name, O_NONBLOCK); i++) {
		if (errno == ENOENT)
			return 0;
		if ((errno != EWOULDBLOCK && errno != EBUSY) || i == 20)
			return errno == EWOULDBLOCK || errno == EBUSY ?
				       in_use(name, minikvm) :
				       report("compare: module %s cannot be unloaded: %s", name,
					      strerror(errno));
		usleep(100000);
	}
	return 0;
}

static int load_file(const char *file, const char *params)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return report("compare: module %s: %s", file, strerror(errno));
	err = syscall(SYS_finit_module, fd, params, 0) ? errno : 0;
	close(fd);
	switch (err) {
	case 0:
	case EEXIST:
		return 0;
	case EOPNOTSUPP:
	case ENODEV:
		return report("compare: module %s finds no VT-x that it could use (%s; dmesg tells "
			      "what is missing)",
			      file, strerror(err));
	case ENOEXEC:
		return report("compare: module %s was built for another kernel", file);
	case EKEYREJECTED:
	case ENOKEY:
		return report("compare: module %s is not signed by a key that this kernel trusts "
			      "(Secure Boot)",
			      file);
	default:
		return report("compare: module %s cannot be loaded: %s (see dmesg)", file,
			      strerror(err));
	}
}

static int load_name(const char *name, const char *params)
{
	struct child child;
	char *words, *word, *save;
	int status;

	child_init(&child);
	child_arg(&child, "modprobe");
	child_arg(&child, "%s", name);
	words = strdup(params);
	for (word = words ? strtok_r(words, " ", &save) : NULL; word;
	     word = strtok_r(NULL, " ", &save))
		child_arg(&child, "%s", word);
	free(words);
	if (child_start(&child, NULL)) {
		child_free(&child);
		return -1;
	}
	while (child_read(&child, NULL, NULL))
		;
	status = child_wait(&child);
	if (status) {
		report("compare: module %s cannot be loaded: modprobe ended with %d (missing for "
		       "this kernel, or no VT-x: see dmesg)",
		       name, status);
		child_print_tail(&child);
	}
	child_free(&child);
	return status ? -1 : 0;
}

static int load(const char *module, const char *name, const char *params)
{
	if (in_sysfs(name, ""))
		return 0;
	return is_file(module) ? load_file(module, params) : load_name(module, params);
}

/* The kernel leaves the flag out where the firmware has locked VT-x away. */
bool cpu_has_vmx(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *word, *save;
	bool found = false;
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0) {
		if (strncmp(line, "flags", 5))
			continue;
		for (word = strtok_r(line, " \t\n", &save); word && !found;
		     word = strtok_r(NULL, " \t\n", &save))
			found = !strcmp(word, "vmx");
		break;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

int modules_begin(const struct compare *c, struct swap *s)
{
	if (geteuid())
		return report("compare: modules are loaded and unloaded: that takes root");
	if (!module_name(s->stock, sizeof(s->stock), c->stock_module))
		return report("compare: --stock-module '%s' is no module", c->stock_module);
	if (!module_name(s->ours, sizeof(s->ours), c->module))
		return report("compare: --module '%s' is no module", c->module);
	if ((!c->only || strcmp(c->only, "kvm")) && !cpu_has_vmx())
		return report(
			"compare: this CPU has no VT-x, or a hypervisor or the firmware hides "
			"it; 'make compare' measures in the lab instead");
	s->had_stock = is_loaded(s->stock);
	s->had_ours = is_loaded(s->ours);
	return 0;
}

static int unload_stock(const struct swap *s, json_t *host)
{
	if (is_built_in(s->stock)) {
		/* It holds VT-x only while it has a VM. */
		if (host)
			result_note(host,
				    "%s is built into the kernel and stays while mini-KVM "
				    "is measured",
				    s->stock);
		return 0;
	}
	if (unload(s->stock, false))
		return -1;
	return strncmp(s->stock, "kvm_", 4) ? 0 : unload("kvm", false);
}

static int wait_for(const char *device)
{
	int i;

	/* udev or devtmpfs makes it. */
	for (i = 0; access(device, R_OK | W_OK); i++) {
		if (i == 50)
			return report("compare: %s: %s, though its module is loaded", device,
				      strerror(errno));
		usleep(100000);
	}
	return 0;
}

int modules_choose(const struct compare *c, struct swap *s, bool minikvm, json_t *host)
{
	if (minikvm)
		return unload_stock(s, host) || load(c->module, s->ours, c->module_params) ||
				       wait_for("/dev/minikvm") ?
			       -1 :
			       0;
	return unload(s->ours, true) || load(c->stock_module, s->stock, "") ||
			       wait_for("/dev/kvm") ?
		       -1 :
		       0;
}

int modules_end(const struct compare *c, struct swap *s)
{
	int ret = 0;

	if (!s->had_ours)
		ret |= unload(s->ours, true);
	if (!s->had_stock)
		ret |= unload_stock(s, NULL);
	if (s->had_stock)
		ret |= load(c->stock_module, s->stock, "");
	if (s->had_ours)
		ret |= load(c->module, s->ours, c->module_params);
	return ret ? -1 : 0;
}
