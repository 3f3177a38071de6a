// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_MSR_INDEX_LIST and its feature twin: the protocol of
 * its length, and that what is listed can be read and written back.
 */
#include "api.h"

static struct minikvm_msr_list *room(uint32_t n)
{
	struct minikvm_msr_list *list;

	list = calloc(1, sizeof(*list) + n * sizeof(list->indices[0]));
	if (!list)
		tap_bail("out of memory");
	list->nmsrs = n;
	return list;
}

/* Returns the list, after checking how the ioctl treats lengths. */
static struct minikvm_msr_list *test_length(int fd, unsigned long cmd,
					    const char *name)
{
	struct minikvm_msr_list *list = room(0), *head;
	unsigned int doubles = 0;
	uint32_t n, i, j;

	tap_errno(ioctl(fd, cmd, list), E2BIG, "%s, no room", name);
	n = list->nmsrs;
	tap_ok(n > 0 && n < 1000, "%s, E2BIG tells the length: %u", name, n);
	free(list);

	list = room(n);
	list->nmsrs = n - 1;
	tap_errno(ioctl(fd, cmd, list), E2BIG, "%s, room for all but one", name);
	tap_eq(list->nmsrs, n, "%s, E2BIG tells the length again", name);
	tap_errno(ioctl(fd, cmd, list), 0, "%s, just enough room", name);
	tap_eq(list->nmsrs, n, "%s, the length stays", name);
	list->nmsrs = 100000;
	tap_errno(ioctl(fd, cmd, list), 0, "%s, nmsrs may be too large", name);
	tap_eq(list->nmsrs, n, "%s, the length is written back", name);
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			doubles += list->indices[i] == list->indices[j];
	tap_eq(doubles, 0, "%s, no MSR is listed twice", name);

	test_efault(fd, cmd, sizeof(*list), name);
	head = page_end(sizeof(*head));
	head->nmsrs = n;
	tap_errno(ioctl(fd, cmd, head), EFAULT, "%s, no memory for the list",
		  name);
	return list;
}

static bool listed(const struct minikvm_msr_list *list, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == index)
			return true;
	return false;
}

static void test_access(const struct minikvm_msr_list *list)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	unsigned int read_fail = 0, write_fail = 0;
	uint64_t value;
	uint32_t i;

	for (i = 0; i < list->nmsrs; i++) {
		if (vcpu_get_msr(vcpu, list->indices[i], &value) != 1) {
			tap_diag("cannot read MSR %#x", list->indices[i]);
			read_fail++;
		} else if (vcpu_set_msr(vcpu, list->indices[i], value) != 1) {
			tap_diag("cannot write MSR %#x back", list->indices[i]);
			write_fail++;
		}
	}
	tap_eq(read_fail, 0, "every MSR of the list can be read");
	tap_eq(write_fail, 0, "every MSR of the list can be written back");
	vm_free(vm);
}

static void test_features(int fd)
{
	struct minikvm_msr_list *list;
	unsigned int refused = 0;
	uint32_t i;

	if (!dev_check_extension(fd, MINIKVM_CAP_GET_MSR_FEATURES)) {
		tap_skip("no capability GET_MSR_FEATURES");
		return;
	}
	list = test_length(fd, MINIKVM_GET_MSR_FEATURE_INDEX_LIST,
			   "GET_MSR_FEATURE_INDEX_LIST");
	for (i = 0; i < list->nmsrs; i++) {
		struct {
			struct minikvm_msrs head;
			struct minikvm_msr_entry entry;
		} msr = { .head.nmsrs = 1, .entry.index = list->indices[i] };

		if (ioctl(fd, MINIKVM_GET_MSRS, &msr) != 1) {
			tap_diag("cannot read feature MSR %#x",
				 list->indices[i]);
			refused++;
		}
	}
	tap_eq(refused, 0, "every feature MSR can be read from the device");
	free(list);
}

int main(void)
{
	static const struct {
		uint32_t index;
		const char *name;
	} wanted[] = {
		{ 0xc0000081, "STAR" }, { 0xc0000082, "LSTAR" },
		{ 0x10, "TSC" }, { 0x3b, "TSC_ADJUST" },
		{ 0x1a0, "MISC_ENABLE" }, { 0x6e0, "TSC_DEADLINE" },
		{ 0x277, "PAT" }, { 0x174, "SYSENTER_CS" },
	};
	int fd = dev_open();
	struct minikvm_msr_list *list;
	size_t i;

	tap_plan(0);
	list = test_length(fd, MINIKVM_GET_MSR_INDEX_LIST, "GET_MSR_INDEX_LIST");
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		tap_ok(listed(list, wanted[i].index), "%s is listed",
		       wanted[i].name);
	test_access(list);
	free(list);
	test_features(fd);
	return tap_done();
}
