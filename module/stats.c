// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics files (GET_STATS_FD): counters that describe themselves. A file is
 * a header, an id, a descriptor per counter, and the values:
 *
 *	struct minikvm_stats_header
 *	id, STATS_NAME_SIZE bytes
 *	struct stats_desc per counter
 *	struct vm_stats or struct vcpu_stats
 *
 * All but the values never changes. Reading costs the VM nothing.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include "minikvm.h"
#include "stats.h"

/* struct minikvm_stats_desc with its name, which an array cannot have otherwise. */
struct stats_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[STATS_NAME_SIZE];
};

static_assert(sizeof(struct stats_desc) ==
	      sizeof(struct minikvm_stats_desc) + STATS_NAME_SIZE);
static_assert(offsetof(struct stats_desc, size) == offsetof(struct minikvm_stats_desc, size));
static_assert(offsetof(struct stats_desc, name) == offsetof(struct minikvm_stats_desc, name));
static_assert(sizeof(atomic64_t) == sizeof(u64));

#define DESC(of, member, flag_bits, exp)					\
	{									\
		.flags = (flag_bits) | MINIKVM_STATS_BASE_POW10,		\
		.exponent = (exp),						\
		.size = sizeof_field(struct of, member) / sizeof(u64),		\
		.offset = offsetof(struct of, member),				\
		.name = #member,						\
	}
#define COUNTER(of, member)							\
	DESC(of, member, MINIKVM_STATS_TYPE_CUMULATIVE | MINIKVM_STATS_UNIT_NONE, 0)
#define INSTANT(of, member)							\
	DESC(of, member, MINIKVM_STATS_TYPE_INSTANT | MINIKVM_STATS_UNIT_NONE, 0)
#define BOOLEAN(of, member)							\
	DESC(of, member, MINIKVM_STATS_TYPE_INSTANT | MINIKVM_STATS_UNIT_BOOLEAN, 0)
#define NANOSECONDS(of, member)							\
	DESC(of, member, MINIKVM_STATS_TYPE_CUMULATIVE | MINIKVM_STATS_UNIT_SECONDS, -9)
#define NS_HIST(of, member)							\
	DESC(of, member, MINIKVM_STATS_TYPE_LOG_HIST | MINIKVM_STATS_UNIT_SECONDS, -9)

static const struct stats_desc vm_descs[] = {
	COUNTER(vm_stats, remote_tlb_flush),
	COUNTER(vm_stats, remote_tlb_flush_requests),
	INSTANT(vm_stats, pages_4k),
	INSTANT(vm_stats, pages_2m),
	INSTANT(vm_stats, pages_1g),
};

static const struct stats_desc vcpu_descs[] = {
	COUNTER(vcpu_stats, halt_successful_poll),
	COUNTER(vcpu_stats, halt_attempted_poll),
	COUNTER(vcpu_stats, halt_wakeup),
	NANOSECONDS(vcpu_stats, halt_poll_success_ns),
	NANOSECONDS(vcpu_stats, halt_poll_fail_ns),
	NANOSECONDS(vcpu_stats, halt_wait_ns),
	NS_HIST(vcpu_stats, halt_poll_success_hist),
	NS_HIST(vcpu_stats, halt_poll_fail_hist),
	NS_HIST(vcpu_stats, halt_wait_hist),
	BOOLEAN(vcpu_stats, blocking),
	COUNTER(vcpu_stats, pf_taken),
	COUNTER(vcpu_stats, pf_fixed),
	COUNTER(vcpu_stats, pf_emulate),
	COUNTER(vcpu_stats, pf_fast),
	COUNTER(vcpu_stats, tlb_flush),
	COUNTER(vcpu_stats, exits),
	COUNTER(vcpu_stats, io_exits),
	COUNTER(vcpu_stats, mmio_exits),
	COUNTER(vcpu_stats, signal_exits),
	COUNTER(vcpu_stats, irq_window_exits),
	COUNTER(vcpu_stats, nmi_window_exits),
	COUNTER(vcpu_stats, l1d_flush),
	COUNTER(vcpu_stats, halt_exits),
	COUNTER(vcpu_stats, request_irq_exits),
	COUNTER(vcpu_stats, irq_exits),
	COUNTER(vcpu_stats, host_state_reload),
	COUNTER(vcpu_stats, insn_emulation),
	COUNTER(vcpu_stats, insn_emulation_fail),
	COUNTER(vcpu_stats, hypercalls),
	COUNTER(vcpu_stats, irq_injections),
	COUNTER(vcpu_stats, nmi_injections),
	COUNTER(vcpu_stats, req_event),
};

/* A file is at most one page of everything but the values, and those. */
#define ID_OFFSET	sizeof(struct minikvm_stats_header)
#define DESC_OFFSET	(ID_OFFSET + STATS_NAME_SIZE)

/**
 * struct part - a run of bytes of a statistics file
 * @data: where it comes from
 * @size: how long it is
 */
struct part {
	const void *data;
	size_t size;
};

/* As many bytes from @pos on as there are and @size allows. */
static ssize_t read_parts(const struct part *parts, int nr, char __user *buf, size_t size,
			  loff_t *pos)
{
	size_t done = 0;
	u64 skip = *pos;
	int i;

	for (i = 0; i < nr && done < size; i++) {
		size_t n;

		if (skip >= parts[i].size) {
			skip -= parts[i].size;
			continue;
		}
		n = min(parts[i].size - (size_t)skip, size - done);
		if (copy_to_user(buf + done, parts[i].data + skip, n))
			return -EFAULT;
		skip = 0;
		done += n;
	}
	*pos += done;
	return done;
}

static ssize_t stats_read(const char *id, const struct stats_desc *descs, u32 nr,
			  const void *values, size_t values_size,
			  char __user *buf, size_t size, loff_t *pos)
{
	const struct minikvm_stats_header header = {
		.name_size = STATS_NAME_SIZE,
		.num_desc = nr,
		.id_offset = ID_OFFSET,
		.desc_offset = DESC_OFFSET,
		.data_offset = DESC_OFFSET + nr * sizeof(*descs),
	};
	const struct part parts[] = {
		{ &header, sizeof(header) },
		{ id, STATS_NAME_SIZE },
		{ descs, nr * sizeof(*descs) },
		{ values, values_size },
	};

	return read_parts(parts, ARRAY_SIZE(parts), buf, size, pos);
}

/* Like every file without a limit of its own, it has no bytes before the first. */
static ssize_t vm_stats_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct vm *vm = file->private_data;
	char id[STATS_NAME_SIZE] = "";

	scnprintf(id, sizeof(id), "kvm-%d", vm->owner_pid);
	return stats_read(id, vm_descs, ARRAY_SIZE(vm_descs), &vm->stats, sizeof(vm->stats),
			  buf, size, pos);
}

static ssize_t vcpu_stats_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct vcpu *vcpu = file->private_data;
	char id[STATS_NAME_SIZE] = "";

	scnprintf(id, sizeof(id), "kvm-%d/vcpu-%u", vcpu->vm->owner_pid, vcpu->id);
	return stats_read(id, vcpu_descs, ARRAY_SIZE(vcpu_descs), &vcpu->stats,
			  sizeof(vcpu->stats), buf, size, pos);
}

/* A file keeps its VM: the counters outlive the VM's own fd. */
static int vm_stats_release(struct inode *inode, struct file *file)
{
	vm_put(file->private_data);
	return 0;
}

static int vcpu_stats_release(struct inode *inode, struct file *file)
{
	struct vcpu *vcpu = file->private_data;

	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vm_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vm_stats_read,
	.release	= vm_stats_release,
	.llseek		= noop_llseek,
};

static const struct file_operations vcpu_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vcpu_stats_read,
	.release	= vcpu_stats_release,
	.llseek		= noop_llseek,
};

static int stats_fd(const char *name, const struct file_operations *fops, void *priv,
		    struct vm *vm)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, priv, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	vm_get(vm);
	/* Anonymous inodes are streams otherwise. */
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

/**
 * stats_vm_fd - GET_STATS_FD on a VM
 * @vm: the VM, which the file keeps alive
 *
 * Return: a read-only fd, -EMFILE, -ENFILE or -ENOMEM.
 */
int stats_vm_fd(struct vm *vm)
{
	return stats_fd("minikvm-vm-stats", &vm_stats_fops, vm, vm);
}

/**
 * stats_vcpu_fd - GET_STATS_FD on a vCPU
 * @vcpu: the vCPU, whose VM the file keeps alive
 *
 * Return: as stats_vm_fd().
 */
int stats_vcpu_fd(struct vcpu *vcpu)
{
	char name[sizeof("minikvm-vcpu-stats:") + 10];

	snprintf(name, sizeof(name), "minikvm-vcpu-stats:%u", vcpu->id);
	return stats_fd(name, &vcpu_stats_fops, vcpu, vcpu->vm);
}
