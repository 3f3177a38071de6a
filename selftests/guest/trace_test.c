// SPDX-License-Identifier: GPL-2.0
/*
 * The module's tracepoints: each event comes when a guest does what it is about, with the values the
 * guest used, and with the names and fields that KVM's has. On /dev/kvm the same is asked of KVM's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gvm.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/minikvm_test"

#define VEC_SELF	0x51
#define VEC_MSI		0x52
#define VEC_TIMER	0x53
#define PIN		5
#define PIC_MASK	0x21
#define PORT_OUT	0x340
#define PORT_IN		0x344
#define IN_VALUE	0x12345678u
#define MMIO_VALUE	0x87654321u
#define TOUCHED		(GUEST_EXTRA + 0x3000)
#define BAD_MSR		0x12345
#define MSR_MTRR_DEF	0x2ff
#define CR4_MCE		(1ul << 6)

enum stage { STAGE_CPUID, STAGE_CR4, STAGE_MTRR, STAGE_LINES, STAGE_OFF };

static const char *events;	/* the system: minikvm, or kvm */
static char *text;		/* the trace, once it was read */
static volatile uint64_t taken;

/* ---- the guest ------------------------------------------------------------------ */

extern char trace_cpuid_insn[], trace_mmio_insn[];

static void on_irq(struct guest_trap_frame *f)
{
	(void)f;
	taken++;
	apic_write(APIC_EOI, 0);
}

static void wait_irqs(uint64_t want)
{
	while (taken < want)
		sti_hlt_cli();
}

static void instructions(void)
{
	uint32_t r[4] = { 0x80000000, 0, 7, 0 };
	uint64_t rax = 0x123;

	asm volatile(".globl trace_cpuid_insn\ntrace_cpuid_insn: cpuid"
		     : "+a"(r[0]), "=b"(r[1]), "+c"(r[2]), "=d"(r[3]) : : "memory");
	guest_sync(STAGE_CPUID, r[0] | (uint64_t)r[1] << 32);
	outw(PORT_OUT, 0xbeef);
	guest_eq(inl(PORT_IN), IN_VALUE, "a port answers");
	*(volatile uint32_t *)(GUEST_MMIO + 0x40) = 0xcafef00d;
	asm volatile(".globl trace_mmio_insn\ntrace_mmio_insn: mov (%%rdi), %%eax"
		     : "=a"(r[0]) : "D"(GUEST_MMIO + 0x44) : "memory");
	guest_eq(r[0], MMIO_VALUE, "MMIO answers");
	*(volatile uint8_t *)TOUCHED = 1;
	asm volatile("vmcall" : "+a"(rax) : "b"(0x11ul), "c"(0x22ul), "d"(0x33ul), "S"(0x44ul) : "memory");
	write_cr4(read_cr4() | CR4_MCE);
	guest_sync(STAGE_CR4, read_cr4());
	guest_sync(STAGE_MTRR, rdmsr(MSR_MTRR_DEF));
	guest_eq(guest_try_wrmsr(BAD_MSR, 0x77), EX_GP, "an unknown MSR faults");
}

static void interrupts(void)
{
	apic_ipi(APIC_DEST_SELF | APIC_LEVEL_ASSERT | VEC_SELF, 0);
	wait_irqs(1);
	guest_sync(STAGE_LINES, 0);
	wait_irqs(2);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, VEC_TIMER);
	apic_write(APIC_TMICT, 20000000);
	wait_irqs(3);
}

static void guest_main(void)
{
	uint32_t r[4];

	guest_set_handler(VEC_SELF, on_irq);
	guest_set_handler(VEC_MSI, on_irq);
	guest_set_handler(VEC_TIMER, on_irq);
	apic_enable();
	outb(PIC_MASK, 0xff);
	instructions();
	interrupts();
	guest_sync(STAGE_OFF, 0);
	cpuid(0, 0, r);
	guest_done();
}

static bool serve_pio(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data)
{
	uint32_t value = IN_VALUE;

	(void)v;
	if (run->io.port != PORT_OUT && run->io.port != PORT_IN)
		return false;
	if (!run->io.direction)
		memcpy(data, &value, run->io.size);
	return true;
}

static bool serve_mmio(struct gvm_vcpu *v, struct minikvm_run *run)
{
	uint32_t value = MMIO_VALUE;

	(void)v;
	if (!run->mmio.is_write)
		memcpy(run->mmio.data, &value, sizeof(value));
	return true;
}

/* ---- tracefs ---------------------------------------------------------------------- */

static bool put(const char *dir, const char *file, const char *value)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return false;
	n = write(fd, value, strlen(value));
	close(fd);
	return n == (ssize_t)strlen(value);
}

static char *get(const char *path)
{
	size_t len = 0, room = 1 << 16;
	char *s = malloc(room);
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while (fd >= 0 && s && (n = read(fd, s + len, room - len - 1)) > 0) {
		len += n;
		if (len + 1 == room)
			s = realloc(s, room *= 2);
	}
	if (fd >= 0)
		close(fd);
	if (!s || fd < 0)
		tap_bail("cannot read %s", path);
	s[len] = 0;
	return s;
}

static void enable(const char *value)
{
	char file[64];

	snprintf(file, sizeof(file), "events/%s/enable", events);
	if (!put(INSTANCE, file, value))
		tap_bail("cannot write %s to %s/%s: %s", value, INSTANCE, file, strerror(errno));
}

static void end_instance(void)
{
	rmdir(INSTANCE);
}

static void start_tracing(void)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), TRACEFS "/events/%s", events);
	if (stat(TRACEFS "/events", &st) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		tap_skip_all("no tracefs: %s", strerror(errno));
	if (stat(path, &st))
		tap_bail("tracefs has no events of %s", events);
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		tap_skip_all("no instance of tracefs: %s", strerror(errno));
	atexit(end_instance);
	put(INSTANCE, "trace", "");
	enable("1");
}

/* Is there an event whose text begins so? Shows what there was instead. */
static bool seen(const char *event, const char *want)
{
	size_t len = strlen(event);
	const char *p, *end;
	unsigned int shown = 0;

	for (p = text; (p = strstr(p, event)); p = end) {
		end = p + len;
		if (p[-1] != ' ' || strncmp(end, ": ", 2))
			continue;
		if (!strncmp(end + 2, want, strlen(want)))
			return true;
	}
	for (p = text; shown < 8 && (p = strstr(p, event)); p += len, shown++)
		tap_diag("there is: %.*s", (int)strcspn(p, "\n"), p);
	return false;
}

#define SEEN(event, ...)							\
do {										\
	char want__[200];							\
										\
	snprintf(want__, sizeof(want__), __VA_ARGS__);				\
	tap_ok(seen(event, want__), "%s: %s", event, want__);			\
} while (0)

/* ---- names and fields --------------------------------------------------------------- */

static const struct {
	const char *name, *fields;
} formats[] = {
	{ "kvm_entry", "vcpu_id rip" },
	{ "kvm_exit", "exit_reason guest_rip isa info1 info2 intr_info error_code vcpu_id" },
	{ "kvm_userspace_exit", "reason errno" },
	{ "kvm_fpu", "load" },
	{ "kvm_vcpu_wakeup", "ns waited valid" },
	{ "kvm_halt_poll_ns", "grow vcpu_id new old" },
	{ "kvm_hypercall", "nr a0 a1 a2 a3" },
	{ "kvm_pio", "rw port size count val" },
	{ "kvm_mmio", "type len gpa val" },
	{ "kvm_fast_mmio", "gpa" },
	{ "kvm_cpuid", "function index rax rbx rcx rdx found used_max_basic" },
	{ "kvm_msr", "write ecx data exception" },
	{ "kvm_cr", "rw cr val" },
	{ "kvm_emulate_insn", "rip csbase len insn flags failed" },
	{ "kvm_ple_window_update", "vcpu_id new old" },
	{ "kvm_inj_virq", "vector soft reinjected" },
	{ "kvm_inj_exception", "exception has_error error_code reinjected" },
	{ "kvm_page_fault", "vcpu_id guest_rip fault_address error_code" },
	{ "kvm_pml_full", "vcpu_id" },
	{ "kvm_unmap_hva_range", "start end" },
	{ "kvm_write_tsc_offset", "vcpu_id previous_tsc_offset next_tsc_offset" },
	{ "kvm_apic", "rw reg val" },
	{ "kvm_apic_ipi", "icr_low dest_id" },
	{ "kvm_hv_timer_state", "vcpu_id hv_timer_in_use" },
	{ "kvm_apic_accept_irq", "apicid dm tm vec" },
	{ "kvm_apicv_accept_irq", "apicid dm tm vec" },
	{ "kvm_eoi", "apicid vector" },
	{ "kvm_pv_eoi", "apicid vector" },
	{ "kvm_set_irq", "gsi level irq_source_id" },
	{ "kvm_pic_set_irq", "chip pin elcr imr coalesced" },
	{ "kvm_ioapic_set_irq", "e pin coalesced" },
	{ "kvm_msi_set_irq", "address data" },
	{ "kvm_ack_irq", "irqchip pin" },
};

/* The names of an event's own fields, in order; those all events have are left out. */
static void fields_of(const char *format, char *out, size_t room)
{
	char name[64];
	const char *p, *end, *word;

	out[0] = 0;
	for (p = format; (p = strstr(p, "\tfield:")); p = end) {
		end = strchr(p, ';');
		if (!end)
			return;
		word = end;
		while (word[-1] != ' ' && word[-1] != '\t')
			word--;
		snprintf(name, sizeof(name), "%.*s", (int)(end - word), word);
		name[strcspn(name, "[")] = 0;
		if (!strncmp(name, "common_", 7))
			continue;
		if (out[0])
			strncat(out, " ", room - strlen(out) - 1);
		strncat(out, name, room - strlen(out) - 1);
	}
}

/* A later KVM may have more fields, at the end. */
static void check_formats(void)
{
	char path[192], got[256], *format;
	struct stat st;
	unsigned int i, bad = 0;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		snprintf(path, sizeof(path), TRACEFS "/events/%s/%s/format", events, formats[i].name);
		if (stat(path, &st)) {
			tap_diag("no event %s", formats[i].name);
			bad++;
			continue;
		}
		format = get(path);
		fields_of(format, got, sizeof(got));
		free(format);
		if (strncmp(got, formats[i].fields, strlen(formats[i].fields))) {
			tap_diag("%s has \"%s\", not \"%s\"", formats[i].name, got, formats[i].fields);
			bad++;
		}
	}
	tap_ok(!bad, "%u events have the names and fields that KVM's have", i);
}

/* ---- the test ---------------------------------------------------------------------- */

static uint64_t run_to(struct gvm *vm, enum stage stage)
{
	int stop = gvm_run(vm, 0);

	if (stop != GVM_SYNC || vm->sync_stage != stage)
		tap_bail("stopped for %d at stage %llu, not at %d", stop,
			 (unsigned long long)vm->sync_stage, stage);
	return vm->sync_value;
}

static void drive_lines(struct gvm *vm)
{
	struct minikvm_msi msi = { .address_lo = APIC_BASE, .data = VEC_MSI };

	gvm_irq_line(vm, PIN, 1);
	gvm_irq_line(vm, PIN, 0);
	tap_ok(ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &msi) == 1, "a message is taken");
}

/* Where the CPU delivers interrupts by itself, nothing is injected and no EOI exits. */
static void check_interrupts(void)
{
	SEEN("kvm_apic", "apic_write APIC_SPIV = 0x1ff");
	SEEN("kvm_apic_ipi", "dst 0 vec %u (Fixed|physical|assert|edge|self)", VEC_SELF);
	SEEN("kvm_apic_accept_irq", "apicid 0 vec %u (Fixed|edge)", VEC_SELF);
	SEEN("kvm_set_irq", "gsi %u level 1 source 0", PIN);
	SEEN("kvm_set_irq", "gsi %u level 0 source 0", PIN);
	SEEN("kvm_pic_set_irq", "chip 0 pin %u (edge|masked)", PIN);
	SEEN("kvm_ioapic_set_irq", "pin %u dst 0 vec 0 (Fixed|physical|edge|masked)", PIN);
	SEEN("kvm_msi_set_irq", "dst 0 vec %u (Fixed|physical|edge)", VEC_MSI);
	SEEN("kvm_apic_accept_irq", "apicid 0 vec %u (Fixed|edge)", VEC_MSI);
	SEEN("kvm_apic_accept_irq", "apicid 0 vec %u (Fixed|edge)", VEC_TIMER);
	SEEN("kvm_hv_timer_state", "vcpu_id 0 hv_timer 0");	/* it halts */
	if (strstr(text, " kvm_apicv_accept_irq: ")) {
		tap_skip("kvm_inj_virq: the CPU delivers interrupts");
		tap_skip("kvm_eoi: the CPU ends their service");
		return;
	}
	SEEN("kvm_inj_virq", "IRQ 0x%x", VEC_SELF);
	SEEN("kvm_eoi", "apicid 0 vector %u", VEC_SELF);
}

static void check_events(uint64_t cpuid_out, uint64_t cr4, uint64_t mtrr)
{
	SEEN("kvm_entry", "vcpu 0, rip 0x%lx", (unsigned long)trace_cpuid_insn + 2);
	SEEN("kvm_exit", "vcpu 0 reason CPUID rip 0x%lx ", (unsigned long)trace_cpuid_insn);
	SEEN("kvm_cpuid", "func 80000000 idx 7 rax %x rbx %x ", (uint32_t)cpuid_out,
	     (uint32_t)(cpuid_out >> 32));
	SEEN("kvm_exit", "vcpu 0 reason IO_INSTRUCTION ");
	SEEN("kvm_pio", "pio_write at 0x%x size 2 count 1 val 0xbeef", PORT_OUT);
	SEEN("kvm_pio", "pio_read at 0x%x size 4 count 1 val 0x%x", PORT_IN, IN_VALUE);
	SEEN("kvm_userspace_exit", "reason KVM_EXIT_IO (2)");
	SEEN("kvm_mmio", "mmio write len 4 gpa 0x%lx val 0xcafef00d", GUEST_MMIO + 0x40);
	SEEN("kvm_mmio", "mmio unsatisfied-read len 4 gpa 0x%lx val 0x0", GUEST_MMIO + 0x44);
	SEEN("kvm_mmio", "mmio read len 4 gpa 0x%lx val 0x%x", GUEST_MMIO + 0x44, MMIO_VALUE);
	SEEN("kvm_emulate_insn", "0:%lx:8b 07 (prot64)", (unsigned long)trace_mmio_insn);
	SEEN("kvm_userspace_exit", "reason KVM_EXIT_MMIO (6)");
	SEEN("kvm_hypercall", "nr 0x123 a0 0x11 a1 0x22 a2 0x33 a3 0x44");
	SEEN("kvm_cr", "cr_write 4 = 0x%lx", (unsigned long)cr4);
	SEEN("kvm_msr", "msr_read %x = 0x%lx", MSR_MTRR_DEF, (unsigned long)mtrr);
	SEEN("kvm_msr", "msr_write %x = 0x77 (#GP)", BAD_MSR);
	SEEN("kvm_inj_exception", "#GP (0x0)");
	SEEN("kvm_fpu", "load");
	SEEN("kvm_fpu", "unload");
	SEEN("kvm_exit", "vcpu 0 reason HLT ");
	tap_ok(seen("kvm_vcpu_wakeup", "wait time ") || seen("kvm_vcpu_wakeup", "poll time "),
	       "kvm_vcpu_wakeup: a halt ended");
}

/* The fault of the first touch: its address, and that it was a write (bit 1 of the qualification). */
static void check_fault(void)
{
	unsigned long long rip, address, code;
	const char *p = text;
	unsigned int id;
	bool found = false;

	while (!found && (p = strstr(p, " kvm_page_fault: "))) {
		p++;
		found = sscanf(p, "kvm_page_fault: vcpu %u rip 0x%llx address 0x%llx error_code 0x%llx", &id,
			       &rip, &address, &code) == 4 && address == TOUCHED && (code & 2) && !id;
	}
	tap_ok(found, "kvm_page_fault: a write at 0x%lx", TOUCHED);
}

int main(void)
{
	const char *dev = getenv("DEV");
	uint64_t cpuid_out, cr4, mtrr;
	struct gvm *vm;
	void *extra;

	gvm_start();
	events = dev && strstr(dev, "/kvm") ? "kvm" : "minikvm";
	start_tracing();
	check_formats();

	vm = gvm_create(1, GVM_IRQCHIP);
	vm->pio = serve_pio;
	vm->mmio = serve_mmio;
	extra = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (extra == MAP_FAILED || gvm_slot(vm, 1, GUEST_EXTRA, 0x10000, extra, 0))
		tap_bail("no second slot");
	gvm_enter64(vm, 0, guest_main);

	cpuid_out = run_to(vm, STAGE_CPUID);
	cr4 = run_to(vm, STAGE_CR4);
	mtrr = run_to(vm, STAGE_MTRR);
	run_to(vm, STAGE_LINES);
	drive_lines(vm);
	run_to(vm, STAGE_OFF);
	enable("0");
	text = get(INSTANCE "/trace");
	check_events(cpuid_out, cr4, mtrr);
	check_fault();
	check_interrupts();
	free(text);

	put(INSTANCE, "trace", "");
	gvm_run_done(vm);
	text = get(INSTANCE "/trace");
	tap_ok(!strstr(text, " kvm_"), "events that are off say nothing");
	free(text);
	gvm_destroy(vm);
	munmap(extra, 0x10000);
	return gvm_finish();
}
