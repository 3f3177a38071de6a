// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to the user: one line each, written with one write() so that lines of several threads do
 * not mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "types.h"

int report(const char *fmt, ...)
{
	char line[1024] = "mkvm: ";
	size_t len = strlen(line);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return -1;
	return -1;
}
