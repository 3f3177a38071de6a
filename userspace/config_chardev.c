// SPDX-License-Identifier: GPL-2.0
/*
 * Options that name byte streams: -serial.
 */
#include <string.h>

#include "config_parse.h"
#include "report.h"

int config_parse_serial(struct config *cfg, const char *arg)
{
	struct serial_config *s = &cfg->serial[cfg->nr_serials];
	unsigned int i;

	if (cfg->nr_serials == MAX_SERIALS)
		return report("-serial %s: there are only %d serial ports", arg, MAX_SERIALS);
	if (!strcmp(arg, "stdio")) {
		for (i = 0; i < cfg->nr_serials; i++) {
			if (cfg->serial[i].kind == SERIAL_STDIO)
				return report("-serial stdio: can be given only once");
		}
		s->kind = SERIAL_STDIO;
	} else if (!strcmp(arg, "null")) {
		s->kind = SERIAL_NULL;
	} else if (!strcmp(arg, "none")) {
		s->kind = SERIAL_NONE;
	} else if (!strncmp(arg, "file:", 5) && arg[5]) {
		s->kind = SERIAL_FILE;
		if (config_set_string(&s->path, arg + 5))
			return -1;
	} else {
		return report("-serial %s: not supported; use stdio, file:PATH, null or none", arg);
	}
	cfg->nr_serials++;
	return 0;
}
