// SPDX-License-Identifier: GPL-2.0
/*
 * The valid VMCSs that tests of the VM-entry checker begin with, and how a break is applied.
 */
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "../../module/vmx/check_impl.h"
#include "image.h"

#define CPUID_AT	0x100
#define PML4_AT		0x1000
#define PDPT_AT		0x2000
#define PD_AT		0x3000
#define PAE_PDPT_AT	0x4000
#define PTE_TABLE	7		/* present, writable, user */
#define PTE_LARGE	0xe7		/* the same, accessed, dirty, a page of 2 MiB */

/* The power-on value: WB, WT, UC-, UC, twice. */
#define PAT_RESET	0x0007040600070406ull

static void set(struct image *im, u32 encoding, u64 value)
{
	unsigned int i;

	for (i = 0; i < im->nr; i++) {
		if (im->field[i].encoding == encoding) {
			im->field[i].value = value;
			return;
		}
	}
	if (im->nr < IMAGE_FIELDS) {
		im->field[im->nr].encoding = encoding;
		im->field[im->nr++].value = value;
	}
}

u64 image_get(const struct image *im, u32 encoding)
{
	unsigned int i;

	for (i = 0; i < im->nr; i++) {
		if (im->field[i].encoding == encoding)
			return im->field[i].value;
	}
	return 0;
}

u64 image_cap(const struct image_env *env, u32 msr)
{
	return msr - IMAGE_CAP_FIRST < IMAGE_CAPS ? env->caps[msr - IMAGE_CAP_FIRST] : 0;
}

/* Allowed settings of a control word: must be 1 below, may be 1 above. */
static u64 settings(const struct image_env *env, u32 msr)
{
	if (msr <= CAP_ENTRY && image_cap(env, CAP_BASIC) & CAP_BASIC_TRUE_CTLS)
		msr += CAP_TRUE_OFFSET;
	return image_cap(env, msr);
}

static u32 control(const struct image_env *env, u32 msr, u32 wanted)
{
	u64 cap = settings(env, msr);

	return (wanted & (cap >> 32)) | (u32)cap;
}

static void set_segment(struct image *im, enum segment seg, u16 selector, u32 limit, u32 ar)
{
	set(im, VMCS_F_GUEST_ES_SELECTOR + 2 * seg, selector);
	set(im, VMCS_F_GUEST_ES_BASE + 2 * seg, 0);
	set(im, VMCS_F_GUEST_ES_LIMIT + 2 * seg, limit);
	set(im, VMCS_F_GUEST_ES_AR + 2 * seg, ar);
}

static void set_data_segments(struct image *im, u16 selector, u32 limit, u32 ar)
{
	set_segment(im, SEG_ES, selector, limit, ar);
	set_segment(im, SEG_SS, selector, limit, ar);
	set_segment(im, SEG_DS, selector, limit, ar);
	set_segment(im, SEG_FS, selector, limit, ar);
	set_segment(im, SEG_GS, selector, limit, ar);
}

static void set_controls(struct image *im, const struct image_env *env)
{
	u32 pin = control(env, CAP_PIN, PIN_EXT_INT | PIN_NMI | PIN_VIRTUAL_NMIS |
			  PIN_PREEMPTION_TIMER);

	set(im, VMCS_F_PIN_BASED_VM_EXEC_CONTROL, pin);
	/* The timer ends what should never have begun. */
	if (pin & PIN_PREEMPTION_TIMER)
		set(im, VMCS_F_PREEMPTION_TIMER_VALUE, 1000000);
	set(im, VMCS_F_CPU_BASED_VM_EXEC_CONTROL,
	    control(env, CAP_PROC, BIT(7) /* HLT exiting */ | PROC_SECONDARY));
	set(im, VMCS_F_SECONDARY_VM_EXEC_CONTROL, PROC2_EPT);
	set(im, VMCS_F_VM_EXIT_CONTROLS,
	    control(env, CAP_EXIT, EXIT_HOST_64 | EXIT_LOAD_PAT | EXIT_LOAD_EFER));
	set(im, VMCS_F_VM_ENTRY_CONTROLS,
	    control(env, CAP_ENTRY,
		    ENTRY_LOAD_DEBUG | ENTRY_IA32E | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER));
	set(im, VMCS_F_EXCEPTION_BITMAP, 0);
	set(im, VMCS_F_PAGE_FAULT_ERROR_CODE_MASK, 0);
	set(im, VMCS_F_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	set(im, VMCS_F_CR3_TARGET_COUNT, 0);
	set(im, VMCS_F_CR0_GUEST_HOST_MASK, 0);
	set(im, VMCS_F_CR4_GUEST_HOST_MASK, 0);
	set(im, VMCS_F_VM_EXIT_MSR_STORE_COUNT, 0);
	set(im, VMCS_F_VM_EXIT_MSR_LOAD_COUNT, 0);
	set(im, VMCS_F_VM_ENTRY_MSR_LOAD_COUNT, 0);
	set(im, VMCS_F_VM_ENTRY_INTR_INFO, 0);
	set(im, VMCS_F_VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	set(im, VMCS_F_VM_ENTRY_INSTRUCTION_LEN, 0);
	set(im, VMCS_F_EPT_POINTER, env->eptp);
}

static void set_host(struct image *im, const struct image_env *env)
{
	set(im, VMCS_F_HOST_CR0, env->host_cr0);
	set(im, VMCS_F_HOST_CR3, env->host_cr3);
	set(im, VMCS_F_HOST_CR4, env->host_cr4);
	set(im, VMCS_F_HOST_IA32_EFER, env->host_efer);
	set(im, VMCS_F_HOST_IA32_PAT, env->host_pat);
	set(im, VMCS_F_HOST_RIP, env->host_rip);
	set(im, VMCS_F_HOST_CS_SELECTOR, env->host_cs);
	set(im, VMCS_F_HOST_SS_SELECTOR, env->host_ss);
	set(im, VMCS_F_HOST_DS_SELECTOR, 0);
	set(im, VMCS_F_HOST_ES_SELECTOR, 0);
	set(im, VMCS_F_HOST_FS_SELECTOR, 0);
	set(im, VMCS_F_HOST_GS_SELECTOR, 0);
	set(im, VMCS_F_HOST_TR_SELECTOR, env->host_tr);
	set(im, VMCS_F_HOST_FS_BASE, env->host_fs_base);
	set(im, VMCS_F_HOST_GS_BASE, env->host_gs_base);
	set(im, VMCS_F_HOST_TR_BASE, env->host_tr_base);
	set(im, VMCS_F_HOST_GDTR_BASE, env->host_gdtr_base);
	set(im, VMCS_F_HOST_IDTR_BASE, env->host_idtr_base);
	set(im, VMCS_F_HOST_SYSENTER_CS, env->host_sysenter_cs);
	set(im, VMCS_F_HOST_SYSENTER_ESP, env->host_sysenter_esp);
	set(im, VMCS_F_HOST_SYSENTER_EIP, env->host_sysenter_eip);
}

static void set_long_guest(struct image *im, const struct image_env *env)
{
	set(im, VMCS_F_GUEST_CR0, image_cap(env, CAP_CR0_FIXED0) | CHECK_CR0_PE | CHECK_CR0_PG |
	    BIT(4) /* ET */);
	set(im, VMCS_F_GUEST_CR3, PML4_AT);
	set(im, VMCS_F_GUEST_CR4, image_cap(env, CAP_CR4_FIXED0) | CHECK_CR4_PAE);
	set(im, VMCS_F_GUEST_IA32_EFER, CHECK_EFER_LME | CHECK_EFER_LMA);
	set(im, VMCS_F_GUEST_IA32_PAT, PAT_RESET);
	set(im, VMCS_F_GUEST_IA32_DEBUGCTL, 0);
	set(im, VMCS_F_GUEST_DR7, 0x400);
	set_segment(im, SEG_CS, 0x10, 0xffffffff, 0xa09b);
	set_data_segments(im, 0x18, 0xffffffff, 0xc093);
	set_segment(im, SEG_LDTR, 0x38, 0xffff, 0x82);
	set_segment(im, SEG_TR, 0x28, 0x67, 0x8b);
	set(im, VMCS_F_GUEST_GDTR_BASE, 0);
	set(im, VMCS_F_GUEST_GDTR_LIMIT, 0xffff);
	/* An event that is delivered after all is a triple fault: an exit. */
	set(im, VMCS_F_GUEST_IDTR_BASE, 0);
	set(im, VMCS_F_GUEST_IDTR_LIMIT, 0);
	set(im, VMCS_F_GUEST_RIP, 0);
	set(im, VMCS_F_GUEST_RSP, 0x800);
	set(im, VMCS_F_GUEST_RFLAGS, BIT(1));
	set(im, VMCS_F_GUEST_SYSENTER_CS, 0);
	set(im, VMCS_F_GUEST_SYSENTER_ESP, 0);
	set(im, VMCS_F_GUEST_SYSENTER_EIP, 0);
	set(im, VMCS_F_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	set(im, VMCS_F_GUEST_INTERRUPTIBILITY, 0);
	set(im, VMCS_F_GUEST_PENDING_DBG, 0);
	set(im, VMCS_F_LINK_POINTER, ~0ull);
}

static void set_bits(struct image *im, u32 encoding, u64 clear, u64 bits)
{
	set(im, encoding, (image_get(im, encoding) & ~clear) | bits);
}

static void set_pae_guest(struct image *im)
{
	set_bits(im, VMCS_F_VM_ENTRY_CONTROLS, ENTRY_IA32E, 0);
	set(im, VMCS_F_GUEST_IA32_EFER, 0);
	set(im, VMCS_F_GUEST_CR3, PAE_PDPT_AT);
	set(im, VMCS_F_GUEST_PDPTR0, PD_AT | 1);
	set(im, VMCS_F_GUEST_PDPTR1, 0);
	set(im, VMCS_F_GUEST_PDPTR2, 0);
	set(im, VMCS_F_GUEST_PDPTR3, 0);
	set_segment(im, SEG_CS, 0x10, 0xffffffff, 0xc09b);
}

static void set_v8086_guest(struct image *im)
{
	set_pae_guest(im);
	set_segment(im, SEG_CS, 0, 0xffff, 0xf3);
	set_data_segments(im, 0, 0xffff, 0xf3);
	set_bits(im, VMCS_F_GUEST_RFLAGS, 0, CHECK_RFLAGS_VM);
	set(im, VMCS_F_GUEST_RIP, CPUID_AT);
}

static void set_real_guest(struct image *im)
{
	set_bits(im, VMCS_F_SECONDARY_VM_EXEC_CONTROL, 0, PROC2_UNRESTRICTED);
	set_bits(im, VMCS_F_VM_ENTRY_CONTROLS, ENTRY_IA32E, 0);
	set(im, VMCS_F_GUEST_IA32_EFER, 0);
	set_bits(im, VMCS_F_GUEST_CR0, CHECK_CR0_PE | CHECK_CR0_PG, 0);
	set_bits(im, VMCS_F_GUEST_CR4, CHECK_CR4_PAE, 0);
	set_segment(im, SEG_CS, 0, 0xffff, 0x93);
	set_data_segments(im, 0, 0xffff, 0x93);
}

void image_init(struct image *im, const struct image_env *env, enum image_base base)
{
	im->nr = 0;
	set_controls(im, env);
	set_host(im, env);
	set_long_guest(im, env);
	switch (base) {
	case BASE_LONG_UNRESTRICTED:
		set_bits(im, VMCS_F_SECONDARY_VM_EXEC_CONTROL, 0, PROC2_UNRESTRICTED);
		break;
	case BASE_PAE:
		set_pae_guest(im);
		break;
	case BASE_V8086:
		set_v8086_guest(im);
		break;
	case BASE_REAL:
		set_real_guest(im);
		break;
	default:
		break;
	}
}

static u64 lowest_bit(u64 bits)
{
	return bits & -bits;
}

static u64 highest_bit(u64 bits)
{
	while (bits & (bits - 1))
		bits &= bits - 1;
	return bits;
}

void image_break(struct image *im, const struct image_env *env, const struct rule_break *b)
{
	unsigned int i;

	for (i = 0; i < BREAK_EDITS && b->edit[i].op; i++) {
		u32 encoding = b->edit[i].encoding;
		u64 value = b->edit[i].value;

		switch (b->edit[i].op) {
		case EDIT_SET:
			set_bits(im, encoding, 0, value);
			break;
		case EDIT_CLEAR:
			set_bits(im, encoding, value, 0);
			break;
		case EDIT_PUT_DATA:
			set(im, encoding, env->data + value);
			break;
		case EDIT_PUT_SHADOW:
			set(im, encoding, env->shadow);
			break;
		case EDIT_CLEAR_REQUIRED:
			set_bits(im, encoding, lowest_bit((u32)settings(env, value)), 0);
			break;
		case EDIT_SET_FORBIDDEN:
			set_bits(im, encoding, 0, highest_bit(~settings(env, value) >> 32));
			break;
		default:
			set(im, encoding, value);
		}
	}
}

const char *image_base_name(enum image_base base)
{
	static const char *const names[NR_BASES] = {
		[BASE_LONG] = "64-bit", [BASE_LONG_UNRESTRICTED] = "64-bit unrestricted",
		[BASE_PAE] = "32-bit PAE", [BASE_V8086] = "virtual-8086", [BASE_REAL] = "real-mode",
	};

	return names[base];
}

u16 image_base_exit(enum image_base base)
{
	return base == BASE_V8086 ? 10 : 12;
}

static void put64(u8 *page, unsigned int at, u64 value)
{
	memcpy(page + at, &value, sizeof(value));
}

void image_guest_page(u8 *page, unsigned int nr)
{
	memset(page, 0, 4096);
	switch (nr) {
	case 0:
		page[0] = 0xf4;				/* hlt */
		page[CPUID_AT] = 0x0f;			/* cpuid */
		page[CPUID_AT + 1] = 0xa2;
		break;
	case PML4_AT >> 12:
		put64(page, 0, PDPT_AT | PTE_TABLE);
		break;
	case PDPT_AT >> 12:
		put64(page, 0, PD_AT | PTE_TABLE);
		break;
	case PD_AT >> 12:
		put64(page, 0, PTE_LARGE);
		break;
	case PAE_PDPT_AT >> 12:
		put64(page, 0, PD_AT | 1);
		break;
	}
}

void image_data_page(u8 *page, const struct image_env *env)
{
	u64 reserved = 1ull << 32;

	memset(page, 0, 4096);
	/* Anything but a VMCS of this CPU. */
	put64(page, 0, (u32)image_cap(env, CAP_BASIC) ^ 1);
	/* VTPR: priority class 2. */
	page[0x80] = 0x20;
	/* Entries of an MSR-load area, one for each rule. */
	put64(page, 0x100, 0xc0000100);
	put64(page, 0x110, 0x808);
	put64(page, 0x120, 0x9b);
	put64(page, 0x130, 0x174 | reserved);
}

void image_shadow_page(u8 *page, const struct image_env *env)
{
	memset(page, 0, 4096);
	put64(page, 0, (image_cap(env, CAP_BASIC) & 0x7fffffff) | 0x80000000);
}
