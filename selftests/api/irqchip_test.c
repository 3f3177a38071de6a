// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of making the in-kernel interrupt controllers and the PIT, and
 * of reading and writing their state.
 */
#include <time.h>

#include "api.h"

static void test_create(void)
{
	struct vm *vm = vm_new(VM_BARE);
	struct minikvm_irqchip chip = { .chip_id = MINIKVM_IRQCHIP_IOAPIC };
	struct minikvm_pit_state2 pit = { 0 };
	struct minikvm_pit_config config = { 0 };

	tap_errno(ioctl(vm->fd, MINIKVM_GET_IRQCHIP, &chip), ENXIO,
		  "GET_IRQCHIP without irqchip");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), ENXIO,
		  "SET_IRQCHIP without irqchip");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, &pit), ENXIO,
		  "GET_PIT2 without PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT2, &pit), ENXIO,
		  "SET_PIT2 without PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0xc), 0,
		  "CREATE_IRQCHIP ignores its argument");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0), EEXIST,
		  "CREATE_IRQCHIP twice");
	test_efault(vm->fd, MINIKVM_CREATE_PIT2, sizeof(config), "CREATE_PIT2");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT2, &config), 0, "CREATE_PIT2");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT2, &config), EEXIST,
		  "CREATE_PIT2 twice");
	vm_add_vcpu(vm, 0);
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0), EEXIST,
		  "CREATE_IRQCHIP again, after a vCPU was made");
	vm_free(vm);

	vm = vm_new(VM_BARE);
	vm_add_vcpu(vm, 0);
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0), EINVAL,
		  "CREATE_IRQCHIP after a vCPU was made");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	vm_add_vcpu(vm, 0);
	config.flags = MINIKVM_PIT_SPEAKER_DUMMY;
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT2, &config), 0,
		  "CREATE_PIT2 with a speaker, after a vCPU was made");
	vm_free(vm);
}

static int get_chip(struct vm *vm, uint32_t id, struct minikvm_irqchip *chip)
{
	memset(chip, 0xff, sizeof(*chip));
	chip->chip_id = id;
	return ioctl(vm->fd, MINIKVM_GET_IRQCHIP, chip);
}

static void test_ioapic(struct vm *vm)
{
	struct minikvm_irqchip chip, back;
	unsigned int i, masked = 0, vectors = 0;

	tap_errno(get_chip(vm, MINIKVM_IRQCHIP_IOAPIC, &chip), 0,
		  "GET_IRQCHIP, I/O APIC");
	tap_eq(chip.chip.ioapic.base_address, 0xfec00000,
	       "the I/O APIC is where PCs have it");
	for (i = 0; i < MINIKVM_IOAPIC_NUM_PINS; i++)
		masked += chip.chip.ioapic.redirtbl[i].fields.mask;
	tap_eq(masked, MINIKVM_IOAPIC_NUM_PINS, "all its pins start masked");

	chip.chip.ioapic.ioregsel = 0x12;
	chip.chip.ioapic.id = 0x3;
	for (i = 0; i < MINIKVM_IOAPIC_NUM_PINS; i++) {
		chip.chip.ioapic.redirtbl[i].bits = 0;
		chip.chip.ioapic.redirtbl[i].fields.vector = 0x40 + i;
		chip.chip.ioapic.redirtbl[i].fields.mask = 1;
		chip.chip.ioapic.redirtbl[i].fields.trig_mode = i & 1;
		chip.chip.ioapic.redirtbl[i].fields.dest_id = i;
	}
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), 0,
		  "SET_IRQCHIP, I/O APIC");
	get_chip(vm, MINIKVM_IRQCHIP_IOAPIC, &back);
	tap_eq(back.chip.ioapic.ioregsel, 0x12, "its IOREGSEL is as set");
	tap_eq(back.chip.ioapic.id, 0x3, "its ID is as set");
	for (i = 0; i < MINIKVM_IOAPIC_NUM_PINS; i++)
		vectors += back.chip.ioapic.redirtbl[i].bits ==
			   chip.chip.ioapic.redirtbl[i].bits;
	tap_eq(vectors, MINIKVM_IOAPIC_NUM_PINS, "its pins are as set");
}

static void test_pic(struct vm *vm, uint32_t id, const char *name)
{
	struct minikvm_irqchip chip, back;

	tap_errno(get_chip(vm, id, &chip), 0, "GET_IRQCHIP, %s", name);
	tap_eq(chip.chip.pic.elcr_mask, id == MINIKVM_IRQCHIP_PIC_MASTER ?
	       0xf8 : 0xde, "%s: lines that can be level-triggered", name);
	chip.chip.pic.irq_base = 0x20;
	chip.chip.pic.imr = 0xa5;
	chip.chip.pic.elcr = 0x08;
	chip.chip.pic.priority_add = 3;
	chip.chip.pic.auto_eoi = 1;
	chip.chip.pic.special_mask = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), 0,
		  "SET_IRQCHIP, %s", name);
	get_chip(vm, id, &back);
	tap_ok(!memcmp(&chip.chip.pic, &back.chip.pic, sizeof(chip.chip.pic)),
	       "%s: the state is as set", name);
}

static void test_chip_arguments(struct vm *vm)
{
	static const uint32_t bad[] = { 3, 4, 0xffffffff };
	struct minikvm_irqchip chip;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_errno(get_chip(vm, bad[i], &chip), EINVAL,
			  "GET_IRQCHIP of chip %#x", bad[i]);
		tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), EINVAL,
			  "SET_IRQCHIP of chip %#x", bad[i]);
	}
	test_efault(vm->fd, MINIKVM_GET_IRQCHIP, sizeof(chip), "GET_IRQCHIP");
	test_efault(vm->fd, MINIKVM_SET_IRQCHIP, sizeof(chip), "SET_IRQCHIP");
}

static void test_pit(struct vm *vm)
{
	struct minikvm_pit_state2 pit, back;
	struct timespec now;
	unsigned int i;
	int64_t ns;

	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, &pit), 0, "GET_PIT2");
	tap_eq(pit.flags & ~3u, 0, "GET_PIT2 sets no unknown flag");
	memset(pit.channels, 0, sizeof(pit.channels));
	for (i = 0; i < 3; i++) {
		pit.channels[i].count = 0x8000 + i;
		pit.channels[i].mode = i == 2 ? 3 : 2;
		pit.channels[i].rw_mode = 3;
		pit.channels[i].read_state = 3;
		pit.channels[i].write_state = 3;
		pit.channels[i].gate = i == 2 ? 0 : 1;
	}
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT2, &pit), 0, "SET_PIT2");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, &back), 0, "GET_PIT2 again");
	for (i = 0; i < 3; i++) {
		tap_eq(back.channels[i].count, 0x8000 + i,
		       "channel %u: count is as set", i);
		tap_eq(back.channels[i].mode, i == 2 ? 3 : 2,
		       "channel %u: mode is as set", i);
		tap_eq(back.channels[i].rw_mode, 3,
		       "channel %u: byte order is as set", i);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	tap_ok(back.channels[2].count_load_time > 0 &&
	       back.channels[2].count_load_time <= ns,
	       "channel 2 counts since a moment of CLOCK_MONOTONIC");
	/* Values a guest could never have written must not hurt the host. */
	memset(&pit, 0xff, sizeof(pit));
	pit.flags = 0;
	ioctl(vm->fd, MINIKVM_SET_PIT2, &pit);
	memset(&pit, 0, sizeof(pit));
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT2, &pit), 0,
		  "SET_PIT2 of zeroes after a SET_PIT2 of nonsense");
	test_efault(vm->fd, MINIKVM_SET_PIT2, sizeof(pit), "SET_PIT2");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, BAD_PTR), EFAULT,
		  "GET_PIT2, bad pointer");
}

/* The ioctls that came before PIT2. */
static void test_old_pit(void)
{
	struct minikvm_reinject_control control = { .pit_reinject = 0 };
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct minikvm_pit_state pit, back;
	struct minikvm_pit_state2 pit2;

	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT, 0), 0, "CREATE_PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT, 0), EEXIST, "CREATE_PIT twice");
	memset(&pit, 0, sizeof(pit));
	pit.channels[2].count = 0x1234;
	pit.channels[2].mode = 3;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT, &pit), 0, "SET_PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT, &back), 0, "GET_PIT");
	tap_eq(back.channels[2].count, 0x1234, "its count is as set");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, &pit2), 0, "GET_PIT2");
	tap_eq(pit2.channels[2].count, 0x1234, "it is the same PIT");
	test_efault(vm->fd, MINIKVM_GET_PIT, sizeof(pit), "GET_PIT");
	test_efault(vm->fd, MINIKVM_SET_PIT, sizeof(pit), "SET_PIT");
	test_efault(vm->fd, MINIKVM_REINJECT_CONTROL, sizeof(control), "REINJECT_CONTROL");
	tap_errno(ioctl(vm->fd, MINIKVM_REINJECT_CONTROL, &control), 0, "REINJECT_CONTROL");
	control.pit_reinject = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_REINJECT_CONTROL, &control), 0,
		  "REINJECT_CONTROL back on");
	vm_free(vm);

	vm = vm_new(VM_BARE);
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_PIT, 0), 0, "CREATE_PIT without irqchip");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT, &pit), 0, "... its counters can be set");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0), 0, "CREATE_IRQCHIP after it");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT, &pit), 0, "... and set again");
	vm_free(vm);
}

int main(void)
{
	struct vm *vm;

	tap_plan(0);
	test_create();
	vm = vm_new(VM_PIT);
	test_ioapic(vm);
	test_pic(vm, MINIKVM_IRQCHIP_PIC_MASTER, "first PIC");
	test_pic(vm, MINIKVM_IRQCHIP_PIC_SLAVE, "second PIC");
	test_chip_arguments(vm);
	test_pit(vm);
	test_old_pit();
	vm_free(vm);
	return tap_done();
}
