// SPDX-License-Identifier: GPL-2.0
/*
 * The static ACPI tables: RSDP, XSDT, FADT with FACS, MADT.
 *
 * Source: Advanced Configuration and Power Interface Specification 6.4, "ACPI Software Programming
 * Model".
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "dev/pm.h"
#include "layout.h"
#include "report.h"
#include "types.h"

#define OEM_ID		"MNKVM "
#define OEM_TABLE_ID	"MINIKVM "
#define CREATOR_ID	"MKVM"

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __packed;

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;

#define ACPI_SPACE_IO	1

/* Generic Address Structure. */
struct acpi_gas {
	u8 space;
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;	/* 1 byte, 2 word, 3 dword */
	u64 address;
} __packed;

/* FADT.iapc_boot_arch */
#define FADT_LEGACY_DEVICES	BIT(0)
#define FADT_8042		BIT(1)
#define FADT_NO_VGA		BIT(2)
#define FADT_NO_ASPM		BIT(4)

/* FADT.flags */
#define FADT_WBINVD		BIT(0)
#define FADT_PROC_C1		BIT(2)
#define FADT_SLP_BUTTON		BIT(5)	/* no fixed-feature sleep button */
#define FADT_FIX_RTC		BIT(6)	/* no fixed-feature RTC wake */
#define FADT_TMR_VAL_EXT	BIT(8)	/* 32-bit PM timer */
#define FADT_RESET_REG_SUP	BIT(10)

struct acpi_fadt {
	struct acpi_header header;
	u32 firmware_ctrl;
	u32 dsdt;
	u8 reserved0;
	u8 preferred_pm_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32 pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk;
	u32 pm2_cnt_blk, pm_tmr_blk, gpe0_blk, gpe1_blk;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
	u8 gpe0_blk_len, gpe1_blk_len, gpe1_base, cst_cnt;
	u16 p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alrm, mon_alrm, century;
	u16 iapc_boot_arch;
	u8 reserved1;
	u32 flags;
	struct acpi_gas reset_reg;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_firmware_ctrl, x_dsdt;
	struct acpi_gas x_pm1a_evt_blk, x_pm1b_evt_blk, x_pm1a_cnt_blk, x_pm1b_cnt_blk;
	struct acpi_gas x_pm2_cnt_blk, x_pm_tmr_blk, x_gpe0_blk, x_gpe1_blk;
	struct acpi_gas sleep_control_reg, sleep_status_reg;
	char hypervisor_vendor[8];
} __packed;

struct acpi_facs {
	char signature[4];
	u32 length;
	u32 hardware_signature;
	u32 waking_vector;
	u32 global_lock;
	u32 flags;
	u64 x_waking_vector;
	u8 version;
	u8 reserved[31];
} __packed;

struct acpi_madt {
	struct acpi_header header;
	u32 lapic_address;
	u32 flags;		/* bit 0: a pair of 8259s is present */
} __packed;

struct madt_lapic {
	u8 type, length;	/* 0, 8 */
	u8 acpi_id, apic_id;
	u32 flags;		/* bit 0: enabled */
} __packed;

struct madt_ioapic {
	u8 type, length;	/* 1, 12 */
	u8 id, reserved;
	u32 address;
	u32 gsi_base;
} __packed;

struct madt_override {
	u8 type, length;	/* 2, 10 */
	u8 bus, source;
	u32 gsi;
	u16 flags;
} __packed;

struct madt_lapic_nmi {
	u8 type, length;	/* 4, 6 */
	u8 acpi_id;	/* 0xff: all */
	u16 flags;
	u8 lint;
} __packed;

#define MPS_ACTIVE_HIGH	1
#define MPS_EDGE	BIT(2)
#define MPS_LEVEL	(3 << 2)

static_assert(sizeof(struct acpi_header) == 36, "ACPI table header");
static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");
static_assert(sizeof(struct acpi_fadt) == 276, "FADT of ACPI 6");
static_assert(sizeof(struct acpi_facs) == 64, "FACS");

/* Where the next table goes. A table that does not fit sets @full and is dropped. */
struct builder {
	u8 *buf;
	gpa_t base;
	size_t used;
	int full;
};

static u8 checksum(const void *data, size_t len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

/* Reserve @len zeroed bytes at a multiple of @align. Return their offset. */
static size_t reserve(struct builder *b, size_t len, size_t align)
{
	size_t offset = (b->used + align - 1) & ~(align - 1);

	if (b->full || len > ACPI_SIZE || offset > ACPI_SIZE - len) {
		b->full = 1;
		return 0;
	}
	memset(b->buf + offset, 0, len);
	b->used = offset + len;
	return offset;
}

static void fill_header(struct acpi_header *h, const char *signature, size_t length, u8 revision)
{
	memcpy(h->signature, signature, 4);
	h->length = (u32)length;
	h->revision = revision;
	memcpy(h->oem_id, OEM_ID, 6);
	memcpy(h->oem_table_id, OEM_TABLE_ID, 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, CREATOR_ID, 4);
	h->creator_revision = 1;
}

/* Add a finished table, headed by struct acpi_header. Return its guest physical address. */
static gpa_t add_table(struct builder *b, void *table, size_t length)
{
	struct acpi_header *h = table;
	size_t offset = reserve(b, length, 16);

	if (b->full)
		return 0;
	h->checksum = 0;
	h->checksum = checksum(table, length);
	memcpy(b->buf + offset, table, length);
	return b->base + offset;
}

static gpa_t add_facs(struct builder *b)
{
	struct acpi_facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };
	size_t offset = reserve(b, sizeof(facs), 64);

	if (b->full)
		return 0;
	memcpy(b->buf + offset, &facs, sizeof(facs));
	return b->base + offset;
}

static gpa_t add_dsdt(struct builder *b, const struct chardev_config *serial,
		      unsigned int nr_serials)
{
	static const size_t max = 32 * KIB;
	struct acpi_header *h = malloc(max);
	size_t aml;
	gpa_t gpa = 0;

	if (!h) {
		b->full = 1;
		return 0;
	}
	memset(h, 0, sizeof(*h));
	aml = dsdt_build((u8 *)(h + 1), max - sizeof(*h), serial, nr_serials);
	if (aml) {
		fill_header(h, "DSDT", sizeof(*h) + aml, 2);
		gpa = add_table(b, h, sizeof(*h) + aml);
	} else {
		b->full = 1;
	}
	free(h);
	return gpa;
}

static struct acpi_gas io_register(u16 port, u8 bytes)
{
	return (struct acpi_gas){
		.space = ACPI_SPACE_IO,
		.bit_width = (u8)(bytes * 8),
		.access_size = bytes == 4 ? 3 : bytes,
		.address = port,
	};
}

static gpa_t add_fadt(struct builder *b, gpa_t facs, gpa_t dsdt)
{
	struct acpi_fadt fadt = {
		.firmware_ctrl = (u32)facs,
		.dsdt = (u32)dsdt,
		.x_dsdt = dsdt,
		.sci_int = SCI_GSI,
		/* No SMI_CMD: the machine is always in ACPI mode. */
		.pm1a_evt_blk = PM_PORT + PM1_EVENT,
		.pm1_evt_len = PM1_EVENT_LEN,
		.pm1a_cnt_blk = PM_PORT + PM1_CONTROL,
		.pm1_cnt_len = PM1_CONTROL_LEN,
		.pm_tmr_blk = PM_PORT + PM_TIMER,
		.pm_tmr_len = PM_TIMER_LEN,
		/* Latencies that say C2 and C3 are not supported. */
		.p_lvl2_lat = 0xfff,
		.p_lvl3_lat = 0xfff,
		.century = 0x32,
		.iapc_boot_arch = FADT_LEGACY_DEVICES | FADT_NO_VGA | FADT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC |
			 FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP,
		.reset_reg = io_register(PM_PORT + PM_RESET, 1),
		.reset_value = PM_RESET_VALUE,
		.minor_version = 4,
		.x_pm1a_evt_blk = io_register(PM_PORT + PM1_EVENT, 4),
		.x_pm1a_cnt_blk = io_register(PM_PORT + PM1_CONTROL, 2),
		.x_pm_tmr_blk = io_register(PM_PORT + PM_TIMER, 4),
		.hypervisor_vendor = "MINIKVM",
	};

	/* The event block is two 16-bit registers. */
	fadt.x_pm1a_evt_blk.access_size = 2;
	fill_header(&fadt.header, "FACP", sizeof(fadt), 6);
	return add_table(b, &fadt, sizeof(fadt));
}

static gpa_t add_madt(struct builder *b, unsigned int nr_vcpus)
{
	struct {
		struct acpi_madt head;
		struct madt_ioapic ioapic;
		struct madt_override sci;
		struct madt_lapic_nmi nmi;
		struct madt_lapic lapic[MAX_VCPUS];
	} __packed madt = {
		.head = { .lapic_address = (u32)LAPIC_BASE, .flags = 1 },
		.ioapic = {
			.type = 1, .length = sizeof(struct madt_ioapic),
			.address = (u32)IOAPIC_BASE,
		},
		.sci = {
			.type = 2, .length = sizeof(struct madt_override),
			.source = SCI_GSI, .gsi = SCI_GSI, .flags = MPS_LEVEL | MPS_ACTIVE_HIGH,
		},
		.nmi = {
			.type = 4, .length = sizeof(struct madt_lapic_nmi), .acpi_id = 0xff,
			.flags = MPS_EDGE | MPS_ACTIVE_HIGH, .lint = 1,
		},
	};
	size_t length = sizeof(madt) - sizeof(madt.lapic) + nr_vcpus * sizeof(madt.lapic[0]);
	unsigned int i;

	for (i = 0; i < nr_vcpus; i++) {
		madt.lapic[i] = (struct madt_lapic){
			.length = sizeof(struct madt_lapic),
			.acpi_id = (u8)i,
			.apic_id = (u8)i,
			.flags = 1,
		};
	}
	fill_header(&madt.head.header, "APIC", length, 5);
	return add_table(b, &madt, length);
}

size_t acpi_build(u8 *buf, gpa_t base, unsigned int nr_vcpus, const struct chardev_config *serial,
		  unsigned int nr_serials)
{
	struct builder b = { .buf = buf, .base = base };
	struct {
		struct acpi_header header;
		u64 table[2];
	} __packed xsdt = { 0 };
	struct acpi_rsdp rsdp = { .signature = "RSD PTR ", .revision = 2, .length = sizeof(rsdp) };
	gpa_t facs, dsdt;

	if (nr_vcpus < 1 || nr_vcpus > MAX_VCPUS)
		return 0;
	reserve(&b, sizeof(rsdp), 16);
	facs = add_facs(&b);
	dsdt = add_dsdt(&b, serial, nr_serials);
	xsdt.table[0] = add_fadt(&b, facs, dsdt);
	xsdt.table[1] = add_madt(&b, nr_vcpus);
	fill_header(&xsdt.header, "XSDT", sizeof(xsdt), 1);
	rsdp.xsdt = add_table(&b, &xsdt, sizeof(xsdt));
	memcpy(rsdp.oem_id, OEM_ID, 6);
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	if (b.full)
		return 0;
	memcpy(buf, &rsdp, sizeof(rsdp));
	return b.used;
}

int acpi_write(const struct guest_mem *mem, unsigned int nr_vcpus,
	       const struct chardev_config *serial, unsigned int nr_serials, gpa_t *rsdp)
{
	struct iovec iov;

	if (guest_mem_iov(mem, ACPI_BASE, ACPI_SIZE, &iov) ||
	    !acpi_build(iov.iov_base, ACPI_BASE, nr_vcpus, serial, nr_serials))
		return report("the ACPI tables do not fit into guest memory");
	*rsdp = ACPI_BASE;
	return 0;
}
