// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's ACPI tables: found where an operating system looks, checksums,
 * pointers and contents, and what ACPICA's disassembler thinks of them.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "boot/acpi.h"
#include "boot/aml.h"
#include "layout.h"
#include "tap.h"

static u8 *image;
static size_t used;

static u8 sum(const u8 *p, size_t len)
{
	u8 s = 0;

	while (len--)
		s = (u8)(s + *p++);
	return s;
}

static u32 get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 get64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A table by address: inside what was built, with the right signature, length and checksum. */
static const u8 *table(u64 gpa, const char *signature)
{
	const u8 *t;

	if (gpa < ACPI_BASE || gpa - ACPI_BASE > used - 36)
		return NULL;
	t = image + (gpa - ACPI_BASE);
	if (memcmp(t, signature, 4) || get32(t + 4) > used - (gpa - ACPI_BASE))
		return NULL;
	/* The FACS has no checksum. */
	if (strcmp(signature, "FACS") && sum(t, get32(t + 4)))
		return NULL;
	return t;
}

static void test_tables(unsigned int nr_vcpus)
{
	const struct chardev_config serial[2] = { { .kind = CHARDEV_STDIO }, { .kind = CHARDEV_NULL } };
	const u8 *xsdt, *fadt, *madt, *dsdt, *p;
	unsigned int cpus = 0, wrong = 0;

	used = acpi_build(image, ACPI_BASE, nr_vcpus, serial, 2);
	tap_ok(used && used <= ACPI_SIZE, "%u CPUs: %zu bytes of tables", nr_vcpus, used);
	if (!used)
		return;
	tap_ok(!memcmp(image, "RSD PTR ", 8) && !sum(image, 20) && !sum(image, 36),
	       "RSDP and both its checksums");
	xsdt = table(get64(image + 24), "XSDT");
	fadt = xsdt ? table(get64(xsdt + 36), "FACP") : NULL;
	madt = xsdt ? table(get64(xsdt + 44), "APIC") : NULL;
	dsdt = fadt ? table(get64(fadt + 140), "DSDT") : NULL;
	tap_ok(xsdt && fadt && madt && dsdt && table(get32(fadt + 36), "FACS"),
	       "XSDT, FADT, MADT, DSDT, FACS are linked and their checksums are right");
	if (!madt)
		return;
	for (p = madt + 44; p < madt + get32(madt + 4) && p[1]; p += p[1]) {
		if (p[0] != 0)
			continue;
		wrong += p[1] != 8 || p[3] != cpus || get32(p + 4) != 1;
		cpus++;
	}
	tap_ok(p == madt + get32(madt + 4) && cpus == nr_vcpus && !wrong,
	       "MADT lists each CPU once, enabled");
}

/* Let iasl disassemble a table; it says Error, Warning or Invalid when it does not like it. */
static void disassemble(const char *dir, const u8 *t, const char *name)
{
	char path[256], command[1024], line[512];
	unsigned int complaints = 0;
	bool done = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
	f = fopen(path, "w");
	if (!t || !f || fwrite(t, get32(t + 4), 1, f) != 1 || fclose(f))
		tap_bail("cannot write %s", path);
	snprintf(command, sizeof(command),
		 "iasl -d %s 2>&1; cat %s/%s.dsl; rm -f %s/%s.*", path, dir, name, dir, name);
	f = popen(command, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "ASL Output") || strstr(line, "] decoded"))
			done = true;
		if (strstr(line, "Error") || strstr(line, "Warning") || strstr(line, "Invalid") ||
		    strstr(line, "Unknown")) {
			complaints++;
			tap_diag("%s", line);
		}
	}
	if (f)
		pclose(f);
	tap_ok(done && !complaints, "iasl -d reads %s without complaint", name);
}

static void test_iasl(void)
{
	char dir[] = "/tmp/acpi_test.XXXXXX";
	const u8 *xsdt = table(get64(image + 24), "XSDT"), *fadt;

	if (system("iasl -v >/dev/null 2>&1")) {
		tap_skip("iasl is not installed: the tables were not disassembled");
		return;
	}
	if (!xsdt || !mkdtemp(dir))
		tap_bail("no tables to disassemble");
	fadt = table(get64(xsdt + 36), "FACP");
	disassemble(dir, table(get64(fadt + 140), "DSDT"), "DSDT");
	disassemble(dir, fadt, "FACP");
	disassemble(dir, table(get64(xsdt + 44), "APIC"), "APIC");
	disassemble(dir, xsdt, "XSDT");
	disassemble(dir, table(get32(fadt + 36), "FACS"), "FACS");
	rmdir(dir);
}

/* Package lengths at each boundary of their encoding. */
static void test_package_length(void)
{
	static const size_t sizes[] = { 10, 61, 62, 63, 4092, 4093, 4094, 5000, 70000 };
	static u8 buf[80000];
	size_t i, n, extra, len;
	unsigned int wrong = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct aml aml = { .buf = buf, .size = sizeof(buf) };
		size_t mark = aml_begin_scope(&aml, "\\_SB");

		for (n = aml.len - mark; n < sizes[i]; n++)
			aml_int(&aml, 0);
		aml_end(&aml, mark);
		extra = buf[1] >> 6;
		len = extra ? buf[1] & 0xf : buf[1] & 0x3f;
		for (n = 0; n < extra; n++)
			len |= (size_t)buf[2 + n] << (4 + 8 * n);
		wrong += len != sizes[i] + 1 + extra || aml.len != 1 + len;
	}
	tap_ok(!wrong, "package lengths of one to four bytes are right");
}

static void test_small_buffers(void)
{
	const struct chardev_config serial[2] = { { .kind = CHARDEV_STDIO }, { .kind = CHARDEV_NONE } };
	const struct chardev_config two[2] = { { .kind = CHARDEV_NULL }, { .kind = CHARDEV_NULL } };
	size_t full, size, wrong = 0, both;
	u8 *buf = malloc(4096);

	full = dsdt_build(buf, 4096, serial, 2);
	free(buf);
	for (size = 0; size < full; size++) {
		buf = malloc(size ? size : 1);
		wrong += dsdt_build(buf, size, serial, 2) != 0;
		free(buf);
	}
	tap_ok(full && !wrong, "a DSDT that does not fit fails, at every size below %zu", full);
	buf = malloc(4096);
	both = dsdt_build(buf, 4096, two, 2);
	free(buf);
	tap_ok(both > full, "a serial port that does not exist is not described");
	tap_ok(!acpi_build(image, ACPI_BASE, 0, serial, 2) &&
	       !acpi_build(image, ACPI_BASE, MAX_VCPUS + 1, serial, 2), "0 or too many CPUs fail");
}

int main(void)
{
	image = malloc(ACPI_SIZE);
	if (!image)
		tap_bail("no memory");
	tap_plan(0);
	test_tables(1);
	test_tables(2);
	test_tables(MAX_VCPUS);
	test_iasl();
	test_package_length();
	test_small_buffers();
	free(image);
	return tap_done();
}
