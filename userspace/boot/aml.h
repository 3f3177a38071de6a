/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small writer of ACPI Machine Language.
 */
#ifndef MKVM_BOOT_AML_H
#define MKVM_BOOT_AML_H

#include "types.h"

/**
 * struct aml - AML under construction
 * @buf: where it goes
 * @size: bytes of @buf
 * @len: bytes written
 * @full: something did not fit; everything after it was dropped
 */
struct aml {
	u8 *buf;
	size_t size;
	size_t len;
	bool full;
};

/*
 * Blocks nest: each aml_begin_*() returns a mark that its aml_end() takes.
 */
size_t aml_begin_scope(struct aml *aml, const char *path);
size_t aml_begin_device(struct aml *aml, const char *seg);
size_t aml_begin_package(struct aml *aml, u8 nr_elements);
void aml_end(struct aml *aml, size_t mark);

/** aml_name() - Name(); the value must follow */
void aml_name(struct aml *aml, const char *seg);
void aml_int(struct aml *aml, u64 value);
/** aml_eisaid() - an id such as "PNP0501" in its compressed form */
void aml_eisaid(struct aml *aml, const char *id);

/**
 * struct aml_res - a resource template
 * @data: descriptors, in the byte format of the specification
 * @len: bytes used
 */
struct aml_res {
	u8 data[256];
	size_t len;
};

void aml_res_io(struct aml_res *res, u16 port, u8 len);
void aml_res_irq(struct aml_res *res, unsigned int irq);
/* Address ranges a bridge passes on. */
void aml_res_bus_range(struct aml_res *res, u16 min, u16 max);
void aml_res_io_range(struct aml_res *res, u16 min, u16 max);
void aml_res_mem_range(struct aml_res *res, u32 min, u32 max);
/** aml_res_put() - end the template and write it as a buffer */
void aml_res_put(struct aml *aml, struct aml_res *res);

#endif
