// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's bzImage parser: a good header, every way a header can be wrong, cut
 * files and random bytes.
 *
 * Each header is parsed from a buffer of exactly its size, so the address sanitizer sees a read
 * beyond it.
 */
#include <stddef.h>

#include <asm/bootparam.h>

#include "boot/bzimage.h"
#include "tap.h"
#include "types.h"

#define FILE_SIZE	0x100000ULL
#define SETUP_SECTS	27

static u8 image[BZIMAGE_HEAD_SIZE];

static struct setup_header *header(void)
{
	return (struct setup_header *)(image + BZIMAGE_HEADER_OFFSET);
}

static void good_header(void)
{
	struct setup_header *h = header();

	memset(image, 0, sizeof(image));
	h->setup_sects = SETUP_SECTS;
	h->boot_flag = 0xaa55;
	h->jump = 0x6aeb;
	h->header = 0x53726448;
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = 2047;
	h->pref_address = 0x1000000;
	h->init_size = 0x2000000;
	h->syssize = (u32)((FILE_SIZE - (SETUP_SECTS + 1) * 512) / 16);
}

static const char *parse(struct bzimage *img, size_t size, u64 file_size)
{
	u8 *copy = malloc(size ? size : 1);
	const char *wrong;

	memcpy(copy, image, size);
	wrong = bzimage_parse(img, copy, size, file_size);
	free(copy);
	return wrong;
}

static void refused(const char *what)
{
	struct bzimage img;

	tap_ok(parse(&img, sizeof(image), FILE_SIZE), "not accepted: %s", what);
	good_header();
}

static void test_good(void)
{
	struct bzimage img;

	good_header();
	tap_ok(!parse(&img, sizeof(image), FILE_SIZE), "a good header is accepted");
	tap_ok(img.payload_offset == 28 * 512 && img.payload_size == FILE_SIZE - 28 * 512 &&
	       img.pref_address == 0x1000000 && img.init_size == 0x2000000 &&
	       img.cmdline_max == 2047 && img.initrd_max == 0x7fffffff, "its fields are taken");
	tap_eq(img.header_size, 0x202 + 0x6a - BZIMAGE_HEADER_OFFSET, "header length");
	header()->setup_sects = 0;
	tap_ok(!parse(&img, sizeof(image), FILE_SIZE) && img.payload_offset == 5 * 512,
	       "0 setup sectors mean 4");
	good_header();
	header()->init_size = 0;
	tap_ok(!parse(&img, sizeof(image), FILE_SIZE) && img.init_size == img.payload_size,
	       "the memory needed is at least the payload");
	good_header();
	header()->jump = 0xffeb;
	tap_ok(!parse(&img, sizeof(image), FILE_SIZE) && img.header_size <= sizeof(img.header),
	       "a header longer than the zero page has room for is cut");
}

static void test_bad(void)
{
	good_header();
	header()->boot_flag = 0;
	refused("no boot flag");
	header()->header = 0;
	refused("no HdrS");
	header()->version = 0x020b;
	refused("boot protocol 2.11");
	header()->loadflags = 0;
	refused("loaded low");
	header()->xloadflags = 0;
	refused("no 64-bit entry");
	header()->setup_sects = 255;
	header()->syssize = UINT32_MAX;
	refused("system size beyond the file");
	header()->jump = 0x02eb;
	refused("a header too short for its own fields");
}

static void test_cut(void)
{
	struct bzimage img;
	unsigned int size, accepted = 0;

	good_header();
	for (size = 0; size < BZIMAGE_HEADER_OFFSET + sizeof(struct setup_header); size++)
		accepted += !parse(&img, size, size);
	tap_ok(!accepted, "no file shorter than the header is accepted");
	tap_ok(parse(&img, sizeof(image), 28 * 512), "a file that ends with the setup is refused");
	tap_ok(parse(&img, sizeof(image), FILE_SIZE - 4096), "a file cut by a page is refused");
	tap_ok(parse(&img, sizeof(image), sizeof(image)), "a file of the header alone is refused");
}

static void test_random(void)
{
	struct bzimage img;
	unsigned int i, round, wrong = 0, accepted = 0;
	u8 *h = (u8 *)header();

	srandom(1);
	for (round = 0; round < 200000; round++) {
		u64 file_size = (u64)random() % (2 * FILE_SIZE);

		good_header();
		for (i = 0; i < 4; i++)
			h[(size_t)random() % sizeof(struct setup_header)] = (u8)random();
		if (parse(&img, sizeof(image), file_size))
			continue;
		accepted++;
		wrong += img.payload_offset + img.payload_size != file_size ||
			 img.init_size < img.payload_size || img.header_size > sizeof(img.header);
	}
	tap_ok(accepted && !wrong, "random headers: %u accepted, all consistent", accepted);
}

int main(void)
{
	tap_plan(0);
	test_good();
	test_bad();
	test_cut();
	test_random();
	return tap_done();
}
