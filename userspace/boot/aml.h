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

/** aml_begin_scope() - Scope(); @path may start with a backslash */
size_t aml_begin_scope(struct aml *aml, const char *path);

/** aml_begin_device() - Device(); @seg has up to four characters */
size_t aml_begin_device(struct aml *aml, const char *seg);

/** aml_begin_package() - Package(); the elements must follow */
size_t aml_begin_package(struct aml *aml, u8 nr_elements);

/** aml_end() - end the block whose aml_begin_*() returned @mark */
void aml_end(struct aml *aml, size_t mark);

/** aml_name() - Name(); the value must follow */
void aml_name(struct aml *aml, const char *seg);

/** aml_int() - an integer, in its shortest form */
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

/** aml_res_io() - @len ports from @port on */
void aml_res_io(struct aml_res *res, u16 port, u8 len);

/** aml_res_irq() - ISA interrupt @irq, 0 to 15 */
void aml_res_irq(struct aml_res *res, unsigned int irq);
/** aml_res_bus_range() - bus numbers behind a bridge, both ends included */
void aml_res_bus_range(struct aml_res *res, u16 min, u16 max);

/** aml_res_io_range() - ports a bridge passes on, both ends included */
void aml_res_io_range(struct aml_res *res, u16 min, u16 max);

/** aml_res_mem_range() - memory a bridge passes on, both ends included */
void aml_res_mem_range(struct aml_res *res, u32 min, u32 max);
/** aml_res_put() - end the template and write it as a buffer */
void aml_res_put(struct aml *aml, struct aml_res *res);

#endif
