// SPDX-License-Identifier: GPL-2.0
/*
 * What the parsers of options share: strings, numbers and lists of "key=value".
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "report.h"

int config_set_string(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return report("out of memory");
	free(*field);
	*field = copy;
	return 0;
}

bool config_number(const char *s, u64 *value, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*value = strtoull(s, &stop, 10);
	*end = stop;
	return errno == 0;
}

/*
 * Split "key=value,key=value" in place, calling @fn on each; ",," stands for a comma in
 * a value.
 */
static int split_keys(const char *option, const char *arg, char *text, config_key_fn fn,
		      void *opaque)
{
	char *in = text;

	while (*in) {
		char *key = in, *value, *out;

		in += strcspn(in, "=,");
		if (*in != '=')
			return report("%s %s: '%.*s' has no value", option, arg, (int)(in - key), key);
		*in++ = '\0';
		for (value = out = in; *in; *out++ = *in++) {
			if (*in != ',')
				continue;
			if (in[1] != ',')
				break;
			in++;
		}
		if (*in)
			in++;
		*out = '\0';
		if (fn(opaque, arg, key, value))
			return -1;
	}
	return 0;
}

int config_keys(const char *option, const char *arg, config_key_fn fn, void *opaque)
{
	char *text = strdup(arg);
	int ret;

	if (!text)
		return report("out of memory");
	ret = split_keys(option, arg, text, fn, opaque);
	free(text);
	return ret;
}

int config_flag(const char *option, const char *arg, const char *key, const char *value, bool *flag)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return report("%s %s: %s is on or off", option, arg, key);
	*flag = !strcmp(value, "on");
	return 0;
}
