/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns the output of a test program: TAP on stdout and an exit status in
 * kselftest's terms, 0 passed, 1 failed, 4 skipped.
 *
 * A program calls tap_plan() once (0 when the number of points is not known
 * beforehand), one of the tap_ok() family for each point, and ends with
 * "return tap_done();". Each line is flushed at once, so that a program that is
 * killed, or forks, leaves exactly what it reported. Single-threaded: only one
 * thread of a program may report.
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum tap_exit { TAP_PASS = 0, TAP_FAIL = 1, TAP_SKIP = 4 };

struct tap_state {
	unsigned int planned;	/* 0 while unknown */
	unsigned int run;
	unsigned int failed;
	unsigned int skipped;
};

/* One instance for the whole program, whatever number of files include this. */
__attribute__((weak)) struct tap_state tap_state;

#define TAP_PRINTF(f, a)	__attribute__((format(printf, f, a), unused))

/* Prints the rest of a line; a name must not break the line or fake a "#". */
static inline void tap_vline(const char *fmt, va_list ap)
{
	char text[512];
	char *c;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (c = text; *c; c++)
		if (*c == '\n' || *c == '#')
			*c = ' ';
	fputs(text, stdout);
	putchar('\n');
	fflush(stdout);
}

/**
 * tap_diag() - print a comment line
 * @fmt: printf format of one line, without newline
 */
static inline TAP_PRINTF(1, 2) void tap_diag(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# ", stdout);
	tap_vline(fmt, ap);
	va_end(ap);
}

/**
 * tap_bail() - give up: the test cannot be carried out. Does not return.
 * @fmt: printf format: what went wrong
 */
static inline TAP_PRINTF(1, 2) __attribute__((noreturn))
void tap_bail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("Bail out! ", stdout);
	tap_vline(fmt, ap);
	va_end(ap);
	exit(TAP_FAIL);
}

/**
 * tap_skip_all() - leave with status 4 because something needed is missing
 * @fmt: printf format: what is missing. Only before the first point.
 */
static inline TAP_PRINTF(1, 2) __attribute__((noreturn))
void tap_skip_all(const char *fmt, ...)
{
	va_list ap;

	if (tap_state.run || tap_state.planned)
		tap_bail("tap_skip_all() called after a plan or a point");
	va_start(ap, fmt);
	fputs("1..0 # SKIP ", stdout);
	tap_vline(fmt, ap);
	va_end(ap);
	exit(TAP_SKIP);
}

/**
 * tap_plan() - announce the number of points
 * @n: points; 0: printed by tap_done() instead
 */
static inline void tap_plan(unsigned int n)
{
	tap_state.planned = n;
	if (n) {
		printf("1..%u\n", n);
		fflush(stdout);
	}
}

/**
 * tap_ok() - report one point
 * @ok: whether it passed
 * @fmt: printf format of its name
 *
 * Return: @ok
 */
static inline TAP_PRINTF(2, 3) bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list ap;

	tap_state.run++;
	if (!ok)
		tap_state.failed++;
	printf("%s %u - ", ok ? "ok" : "not ok", tap_state.run);
	va_start(ap, fmt);
	tap_vline(fmt, ap);
	va_end(ap);
	return ok;
}

/**
 * tap_skip() - report one point as skipped
 * @fmt: printf format: why
 */
static inline TAP_PRINTF(1, 2) void tap_skip(const char *fmt, ...)
{
	va_list ap;

	tap_state.run++;
	tap_state.skipped++;
	printf("ok %u # SKIP ", tap_state.run);
	va_start(ap, fmt);
	tap_vline(fmt, ap);
	va_end(ap);
}

/**
 * tap_eq() - report one point: two integers are equal; shows both if not
 * @got: what was seen
 * @want: what is right
 * @...: printf format of the point's name, and its arguments
 */
#define tap_eq(got, want, ...)						\
({									\
	unsigned long long __got = (unsigned long long)(got);		\
	unsigned long long __want = (unsigned long long)(want);		\
	bool __eq = tap_ok(__got == __want, __VA_ARGS__);		\
									\
	if (!__eq)							\
		tap_diag("%s:%d: got %#llx, want %#llx", __FILE__,	\
			 __LINE__, __got, __want);			\
	__eq;								\
})

/**
 * tap_errno() - report one point: a call returned what it should
 * @ret: the call; evaluated once, its errno is looked at right after
 * @want: the errno expected, or 0: success (any result but a negative one)
 * @...: printf format of the point's name, and its arguments
 */
#define tap_errno(ret, want, ...)					\
({									\
	long __ret = (errno = 0, (long)(ret));				\
	int __err = __ret < 0 ? errno : 0;				\
	bool __good = tap_ok(__err == (want), __VA_ARGS__);		\
									\
	if (!__good)							\
		tap_diag("%s:%d: got %s, want %s", __FILE__, __LINE__,	\
			 __err ? strerror(__err) : "success",		\
			 (want) ? strerror(want) : "success");		\
	__good;								\
})

/**
 * tap_done() - finish the report
 *
 * Return: the exit status of the program. A plan that was not kept, and a
 * program without any point, are failures.
 */
static inline int tap_done(void)
{
	if (!tap_state.planned)
		printf("1..%u\n", tap_state.run);
	fflush(stdout);
	if (tap_state.planned && tap_state.planned != tap_state.run) {
		tap_diag("planned %u points, ran %u", tap_state.planned,
			 tap_state.run);
		return TAP_FAIL;
	}
	if (tap_state.failed || !tap_state.run)
		return TAP_FAIL;
	return tap_state.skipped == tap_state.run ? TAP_SKIP : TAP_PASS;
}

#endif
