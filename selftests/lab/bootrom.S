/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMX lane's boot loader: an option ROM that the BIOS calls during its ROM scan, before
 * it looks for something to boot. It takes the memory map from the BIOS, reads the lab's
 * boot disk (see bootdisk.c for its layout) with programmed I/O straight to where the parts
 * belong, and enters the kernel's 64-bit entry point.
 *
 * Reading through the BIOS, loading from a CD and unpacking a bzImage cost the emulator
 * more instructions than everything else before user space; here are none of them.
 *
 * Sources: "The Linux/x86 Boot Protocol", 64-bit boot protocol; ATA/ATAPI-6, READ SECTOR(S)
 * EXT; ACPI 6.5, "INT 15H, E820H - Query System Address Map".
 */

#define DISK_HEADER	0x7c00		/* first sector of the boot disk */
#define E820_BUFFER	0x8000
#define STACK_TOP	0x7000
#define PAGE_TABLES	0x10000		/* PML4, PDPT, four page directories */
#define RESET_MARK	0x600		/* survives a reset, is zero after power-on */
#define RESET_MAGIC	0x4c414221
#define ROM_TSC		0x608		/* time-stamp counter when the ROM was called */
#define E820_MAX	128
#define E820_SIZE	20

/* struct boot_params */
#define BP_E820_COUNT	0x1e8
#define BP_E820_TABLE	0x2d0

/* struct disk_header */
#define HDR_MAGIC	0
#define HDR_COUNT	4
#define HDR_ENTRY	8
#define HDR_PARAMS	12
#define HDR_EXTENTS	16		/* { lba, sectors, physical address } */
#define DISK_MAGIC	0x4b534944

#define SEL_CODE32	0x08
#define SEL_CODE64	0x10
#define SEL_DATA	0x18

#define E9_PORT		0xe9
#define ATA		0x1f0
#define ATA_CONTROL	0x3f6

	.text
	.code16
	.globl _start
_start:
	.byte	0x55, 0xaa
	.byte	ROM_SECTORS
	jmp	rom_entry
	.org	0x20

rom_entry:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK_TOP, %esp

	/* A second pass through here is a reset of the lab host: say so and stop. */
	cmpl	$RESET_MAGIC, RESET_MARK
	jne	1f
	movw	$(msg_reset - _start), %si
	call	say16
	jmp	stop16
1:	movl	$RESET_MAGIC, RESET_MARK
	rdtsc
	movl	%eax, ROM_TSC
	movl	%edx, ROM_TSC + 4

	/* The memory map: E820_SIZE bytes an entry, count in bp. */
	xorl	%ebx, %ebx
	xorw	%bp, %bp
	movw	$E820_BUFFER, %di
2:	movl	$0xe820, %eax
	movl	$0x534d4150, %edx
	movl	$E820_SIZE, %ecx
	int	$0x15
	jc	3f
	incw	%bp
	addw	$E820_SIZE, %di
	cmpw	$E820_MAX, %bp
	jae	3f
	testl	%ebx, %ebx
	jnz	2b
3:	cli
	movzwl	%bp, %ebp

	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92

	lgdtl	%cs:(gdt_desc - _start)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $protected

say16:	/* cs:si, zero-terminated */
	lodsb	%cs:(%si), %al
	testb	%al, %al
	jz	1f
	outb	%al, $E9_PORT
	jmp	say16
1:	ret

stop16:	/* Bochs ends when this port has been told to. */
	movw	$(msg_shutdown - _start), %si
	movw	$0x8900, %dx
1:	lodsb	%cs:(%si), %al
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	hlt
	jmp	2b

	.code32
protected:
	movw	$SEL_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss

	movb	$2, %al			/* no interrupts from the disk */
	movw	$ATA_CONTROL, %dx
	outb	%al, %dx

	xorl	%eax, %eax
	movl	$1, %ecx
	movl	$DISK_HEADER, %edi
	call	read_disk
	cmpl	$DISK_MAGIC, DISK_HEADER + HDR_MAGIC
	jne	disk_error

	movl	$DISK_HEADER + HDR_EXTENTS, %esi
	movl	DISK_HEADER + HDR_COUNT, %ebx
1:	testl	%ebx, %ebx
	jz	2f
	movl	(%esi), %eax
	movl	4(%esi), %ecx
	movl	8(%esi), %edi
	call	read_disk
	addl	$12, %esi
	decl	%ebx
	jmp	1b

	/* The memory map into struct boot_params. */
2:	movl	DISK_HEADER + HDR_PARAMS, %edx
	movl	%ebp, %eax
	movb	%al, BP_E820_COUNT(%edx)
	leal	BP_E820_TABLE(%edx), %edi
	movl	$E820_BUFFER, %esi
	imull	$E820_SIZE, %ebp, %ecx
	rep movsb

	/* Identity map of the first 4 GiB in 2 MiB pages. */
	movl	$PAGE_TABLES, %edi
	xorl	%eax, %eax
	movl	$(2 * 4096 / 4), %ecx
	rep stosl
	movl	$(PAGE_TABLES + 0x1000 + 3), PAGE_TABLES
	movl	$(PAGE_TABLES + 0x2000 + 3), PAGE_TABLES + 0x1000
	movl	$(PAGE_TABLES + 0x3000 + 3), PAGE_TABLES + 0x1008
	movl	$(PAGE_TABLES + 0x4000 + 3), PAGE_TABLES + 0x1010
	movl	$(PAGE_TABLES + 0x5000 + 3), PAGE_TABLES + 0x1018
	movl	$0x83, %eax
	movl	$2048, %ecx
3:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	3b

	movl	$PAGE_TABLES, %eax
	movl	%eax, %cr3
	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $long_mode

/*
 * read_disk - eax: first sector, ecx: sectors, edi: where to; clobbers eax, ecx, edx, edi.
 * One command moves up to 65535 sectors.
 */
read_disk:
	pushl	%ebx
	pushl	%esi
	movl	%eax, %ebx
	movl	%ecx, %esi
1:	testl	%esi, %esi
	jz	4f
	movl	%esi, %ecx
	cmpl	$0xffff, %ecx
	jbe	2f
	movl	$0xffff, %ecx
2:	call	ata_idle
	movb	$0xe0, %al
	movw	$(ATA + 6), %dx
	outb	%al, %dx
	movw	$(ATA + 2), %dx		/* count, high then low */
	movb	%ch, %al
	outb	%al, %dx
	movb	%cl, %al
	outb	%al, %dx
	incw	%dx			/* address bits 31-24, then 7-0 */
	movl	%ebx, %eax
	shrl	$24, %eax
	outb	%al, %dx
	movb	%bl, %al
	outb	%al, %dx
	incw	%dx			/* bits 39-32, then 15-8 */
	xorb	%al, %al
	outb	%al, %dx
	movb	%bh, %al
	outb	%al, %dx
	incw	%dx			/* bits 47-40, then 23-16 */
	xorb	%al, %al
	outb	%al, %dx
	movl	%ebx, %eax
	shrl	$16, %eax
	outb	%al, %dx
	movw	$(ATA + 7), %dx
	movb	$0x24, %al
	outb	%al, %dx
	addl	%ecx, %ebx
	subl	%ecx, %esi
3:	call	ata_data
	pushl	%ecx
	movl	$256, %ecx
	movw	$ATA, %dx
	rep insw
	popl	%ecx
	loop	3b
	jmp	1b
4:	popl	%esi
	popl	%ebx
	ret

ata_idle:
	movw	$(ATA + 7), %dx
1:	inb	%dx, %al
	testb	$0x80, %al
	jnz	1b
	ret

ata_data:
	movw	$(ATA + 7), %dx
1:	inb	%dx, %al
	testb	$0x80, %al
	jnz	1b
	testb	$0x01, %al
	jnz	disk_error
	testb	$0x08, %al
	jz	1b
	ret

disk_error:
	movl	$msg_disk, %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, $E9_PORT
	jmp	1b
2:	hlt
	jmp	2b

	.code64
long_mode:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$STACK_TOP, %esp
	movl	$msg_kernel, %esi
	call	say
	movq	ROM_TSC, %rbx
	call	say_hex
	movl	$msg_tsc, %esi
	call	say
	rdtsc
	shlq	$32, %rdx
	leaq	(%rdx, %rax), %rbx
	call	say_hex
	movb	$'\n', %al
	outb	%al, $E9_PORT
	movl	DISK_HEADER + HDR_PARAMS, %esi
	movl	DISK_HEADER + HDR_ENTRY, %eax
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	xorl	%ebx, %ebx
	jmp	*%rax

say:	/* rsi, zero-terminated */
	lodsb
	testb	%al, %al
	jz	1f
	outb	%al, $E9_PORT
	jmp	say
1:	ret

say_hex: /* rbx, sixteen digits */
	movl	$16, %ecx
1:	rolq	$4, %rbx
	movb	%bl, %al
	andb	$0xf, %al
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	2f
	addb	$('a' - '0' - 10), %al
2:	outb	%al, $E9_PORT
	loop	1b
	ret

	.balign	8
	/* Accessed bits are set: a ROM does not take the CPU's write. */
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt_desc:
	.word	gdt_desc - gdt - 1
	.long	gdt

msg_reset:	.asciz	"@@LAB reset\n"
msg_kernel:	.asciz	"@@LAB kernel rom-tsc 0x"
msg_tsc:	.asciz	" tsc 0x"
msg_disk:	.asciz	"@@LAB disk-error\n"
msg_shutdown:	.asciz	"Shutdown"

	.org	ROM_SECTORS * 512 - 1
	.byte	0			/* checksum, set by bootdisk */
