/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VM exits in words: the reason, and what the exit qualification and its companions say of it.
 */
#ifndef MKVM_INSPECT_EXITS_H
#define MKVM_INSPECT_EXITS_H

#include "inspect/dump.h"
#include "inspect/word.h"

/** exit_reason_name() - the manual's name of a basic exit reason, or NULL: it has none */
const char *exit_reason_name(u32 basic);

/** exit_reason_text() - append what a field "exit reason" says, with its flags */
void exit_reason_text(struct text *t, u32 reason);

/**
 * exit_qualification_text() - append what an exit qualification says
 * @t: nothing is added if the exit has none
 * @reason: field "exit reason"
 * @qualification: the field
 * @event: VM-exit interruption information, for exits due to an exception
 */
void exit_qualification_text(struct text *t, u32 reason, u64 qualification, u32 event);

/**
 * instruction_text() - append what a field "VM-exit instruction information" says
 * @t: nothing is added if an exit of this reason does not define it
 * @reason: field "exit reason"
 * @qualification: field "exit qualification"
 * @info: the field
 */
void instruction_text(struct text *t, u32 reason, u64 qualification, u32 info);

/** gpr_name() - a general-purpose register, by the number that instructions have for it */
const char *gpr_name(unsigned int number);

/** event_text() - append an interruption-information field: "hardware exception #PF (14)" */
void event_text(struct text *t, u32 info);

/** exit_writes() - does an exit of this reason define this field of the exit information? */
bool exit_writes(u32 reason, u32 encoding);

/** instruction_error_name() - the manual's text of a VM-instruction error; NULL: there is none */
const char *instruction_error_name(u32 error);

/** exit_text() - append a whole exit on one line: reason, qualification, address */
void exit_text(struct text *t, const struct vmcs_dump *d);

#endif
