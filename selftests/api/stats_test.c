// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_STATS_FD: the file's parts, its read and seek semantics,
 * how long it lives, and that counters count.
 */
#include <fcntl.h>
#include <unistd.h>

#include "api.h"

#define NAME_MAX_SIZE	256

/* One statistics file, all but its values. */
struct stats {
	int fd;
	struct minikvm_stats_header head;
	char *descs;
	size_t desc_size;
};

/* Writes a port three times; the last one is 0xee. */
GUEST_ASM(out_guest, 64,
	"	movb	$0xee, %al\n"
	"	outb	%al, $0x10\n"
	"	outb	%al, $0x10\n"
	"	outb	%al, $0x11\n"
	"	hlt\n");

static struct minikvm_stats_desc *desc_at(struct stats *s, unsigned int i)
{
	return (void *)(s->descs + i * s->desc_size);
}

static void stats_open(struct stats *s, int owner, const char *what)
{
	ssize_t bytes;

	s->fd = ioctl(owner, MINIKVM_GET_STATS_FD);
	if (!tap_ok(s->fd >= 0, "%s: GET_STATS_FD", what))
		tap_bail("%s", strerror(errno));
	if (read(s->fd, &s->head, sizeof(s->head)) != sizeof(s->head))
		tap_bail("no header");
	s->desc_size = sizeof(struct minikvm_stats_desc) + s->head.name_size;
	bytes = s->desc_size * s->head.num_desc;
	s->descs = malloc(bytes);
	if (pread(s->fd, s->descs, bytes, s->head.desc_offset) != bytes)
		tap_bail("no descriptors");
}

/* The first item of a counter, ~0 if there is none of that name. */
static uint64_t stats_value(struct stats *s, const char *name)
{
	uint64_t value;
	unsigned int i;

	for (i = 0; i < s->head.num_desc; i++) {
		struct minikvm_stats_desc *d = desc_at(s, i);

		if (strcmp(d->name, name))
			continue;
		if (pread(s->fd, &value, 8, s->head.data_offset + d->offset) != 8)
			tap_bail("value of %s", name);
		return value;
	}
	return ~0ULL;
}

static void stats_close(struct stats *s)
{
	free(s->descs);
	close(s->fd);
}

static bool descs_good(struct stats *s, size_t *data_size)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < s->head.num_desc; i++) {
		struct minikvm_stats_desc *d = desc_at(s, i);
		uint32_t type = d->flags & MINIKVM_STATS_TYPE_MASK;
		uint32_t unit = d->flags & MINIKVM_STATS_UNIT_MASK;

		if (strnlen(d->name, s->head.name_size) == s->head.name_size || !d->name[0])
			return false;
		if (type > MINIKVM_STATS_TYPE_LOG_HIST || unit > MINIKVM_STATS_UNIT_BOOLEAN ||
		    (d->flags & MINIKVM_STATS_BASE_MASK) > MINIKVM_STATS_BASE_POW2)
			return false;
		if (!d->size || (type != MINIKVM_STATS_TYPE_LINEAR_HIST && d->bucket_size))
			return false;
		if (unit == MINIKVM_STATS_UNIT_SECONDS ? d->exponent > 0 : d->exponent < 0)
			return false;
		if (d->offset + 8 * d->size > size)
			size = d->offset + 8 * d->size;
	}
	*data_size = size;
	return true;
}

static void test_layout(struct stats *s, const char *id_start, const char *what)
{
	char id[NAME_MAX_SIZE], *all, *again;
	size_t data = 0, whole;
	ssize_t n;

	tap_ok(s->head.flags == 0 && s->head.num_desc > 0 && s->head.name_size <= sizeof(id),
	       "%s: the header", what);
	n = read(s->fd, id, s->head.name_size);
	tap_ok(n == s->head.name_size && !strncmp(id, id_start, strlen(id_start)) &&
	       strnlen(id, n) < (size_t)n, "%s: an id follows it", what);
	tap_ok(descs_good(s, &data), "%s: the descriptors", what);
	tap_ok(data, "%s: there are values", what);

	whole = s->head.data_offset + data;
	all = malloc(whole + 64);
	again = malloc(whole + 64);
	n = pread(s->fd, all, whole + 64, 0);
	tap_eq(n, whole, "%s: one read gets all of it, and no more", what);
	tap_ok(!memcmp(all, &s->head, sizeof(s->head)), "%s: ... from the header on", what);
	tap_eq(pread(s->fd, again, 64, whole), 0, "%s: nothing at the end", what);
	tap_eq(pread(s->fd, again, 64, whole + 1000), 0, "%s: nor behind it", what);
	/* Across the border of two parts. */
	n = pread(s->fd, again, 30, s->head.desc_offset - 10);
	tap_ok(n == 30 && !memcmp(again, all + s->head.desc_offset - 10, 30),
	       "%s: a read across two parts", what);
	tap_errno(pread(s->fd, page_end(4), 8, 0), EFAULT, "%s: a bad buffer", what);
	tap_errno(write(s->fd, all, 8), EBADF, "%s: it cannot be written", what);
	tap_ok(fcntl(s->fd, F_GETFD) & FD_CLOEXEC, "%s: closed on exec", what);
	tap_eq(lseek(s->fd, 4, SEEK_SET), (off_t)(s->head.id_offset + s->head.name_size),
	       "%s: lseek() leaves the position", what);
	free(all);
	free(again);
}

static void test_counting(struct vm *vm, struct vcpu *vcpu, struct stats *vcpu_stats,
			  struct stats *vm_stats)
{
	uint64_t exits, io;

	vm_load(vm, out_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	exits = stats_value(vcpu_stats, "exits");
	io = stats_value(vcpu_stats, "io_exits");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the first OUT");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the second OUT");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the third OUT");
	tap_eq(stats_value(vcpu_stats, "io_exits") - io, 3, "io_exits counts three");
	tap_ok(stats_value(vcpu_stats, "exits") - exits >= 3, "exits counts them, too");
	tap_ok(stats_value(vcpu_stats, "pf_fixed") >= 1 &&
	       stats_value(vcpu_stats, "pf_taken") >= stats_value(vcpu_stats, "pf_fixed"),
	       "pages were mapped");
	tap_ok(stats_value(vcpu_stats, "req_event") != ~0ULL &&
	       stats_value(vcpu_stats, "signal_exits") == 0, "no signal came");
	tap_ok(stats_value(vm_stats, "pages_4k") + stats_value(vm_stats, "pages_2m") > 0,
	       "the VM has pages mapped");
	tap_eq(stats_value(vm_stats, "no such counter"), ~0ULL, "no counter without a name");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 3);
	struct stats vcpu_stats, vm_stats;

	tap_plan(0);
	if (!tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_BINARY_STATS_FD), 1, "the capability"))
		return tap_done();
	stats_open(&vm_stats, vm->fd, "VM");
	stats_open(&vcpu_stats, vcpu->fd, "vCPU");
	test_layout(&vm_stats, "kvm-", "VM");
	test_layout(&vcpu_stats, "kvm-", "vCPU");
	test_counting(vm, vcpu, &vcpu_stats, &vm_stats);
	vm_free(vm);
	tap_ok(stats_value(&vcpu_stats, "io_exits") >= 3, "the files outlive the VM's fds");
	tap_ok(stats_value(&vm_stats, "pages_1g") != ~0ULL, "both of them");
	stats_close(&vcpu_stats);
	stats_close(&vm_stats);
	return tap_done();
}
