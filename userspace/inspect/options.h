/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the commands that look into a machine share of command line and output.
 */
#ifndef MKVM_INSPECT_OPTIONS_H
#define MKVM_INSPECT_OPTIONS_H

#include <jansson.h>
#include <sys/types.h>

#include "types.h"

/** option_help() - is the first argument a request for help? */
bool option_help(int argc, char **argv);

/**
 * option_number() - a whole number, decimal or 0x hexadecimal
 * @option: its name, for the message
 * @text: as the user wrote it
 * @min: smallest one allowed
 * @max: largest one allowed
 * @value: filled in
 *
 * Return: 0, or -1 after a report.
 */
int option_number(const char *option, const char *text, unsigned long min, unsigned long max,
		  unsigned long *value);

/**
 * option_machine() - what stands behind the options: the NAME of a machine
 * @command: the subcommand, for the messages
 * @argc: as getopt_long() had them, which has come to their end: optind
 * @argv: likewise
 * @pid: of --pid, which takes the place of a name; 0: none
 * @name: set to the name, if there is no @pid; it lives in @argv
 *
 * Return: 0, or -1 after a report: no machine is named, or there is more.
 */
int option_machine(const char *command, int argc, char **argv, pid_t pid, const char **name);

/** option_seconds() - a time from 0.01 to 86400 seconds; 0, or -1 after a report */
int option_seconds(const char *option, const char *text, double *value);

/** output_colour() - is standard output a terminal that shows colours? $NO_COLOR says no */
bool output_colour(void);

/**
 * output_json() - print a value and a newline
 * @value: a reference that is taken; NULL: there was no memory for it
 * @flags: of jansson; non-ASCII characters are escaped in any case
 *
 * Return: 0, or -1 after a report.
 */
int output_json(json_t *value, size_t flags);

/** output_sleep() - wait; -1: a signal came */
int output_sleep(double seconds);

#endif
