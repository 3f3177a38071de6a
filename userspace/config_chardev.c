// SPDX-License-Identifier: GPL-2.0
/*
 * Options that name byte streams: -serial and -chardev.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "report.h"

/* Where a list of keys goes, and the option it comes from. */
struct chardev_arg {
	const char *option;
	struct chardev_config *c;
	char host[64];
};

static int set_host(struct chardev_arg *a, const char *arg)
{
	struct chardev_config *c = a->c;

	c->ipv6 = !strcmp(a->host, "::1") || !strcmp(a->host, "[::1]");
	if (c->ipv6 || !strcmp(a->host, "127.0.0.1") || !strcmp(a->host, "localhost"))
		return 0;
	return report("%s %s: a console is open to whoever connects; listen on 127.0.0.1 or ::1",
		      a->option, arg);
}

static int set_port(struct chardev_arg *a, const char *arg, const char *value)
{
	const char *end;
	u64 n;

	if (!config_number(value, &n, &end) || *end || n < 1 || n > UINT16_MAX)
		return report("%s %s: '%s' is no port; give a number from 1 to 65535", a->option,
			      arg, value);
	a->c->port = (u16)n;
	return 0;
}

/* Keys that a kind does not know are refused by name. */
static int set_chardev_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct chardev_arg *a = opaque;
	struct chardev_config *c = a->c;
	bool socket = c->kind == CHARDEV_UNIX || c->kind == CHARDEV_TCP, flag;

	if (!strcmp(key, "id") && !strcmp(a->option, "-chardev"))
		return config_set_string(&c->id, value);
	if (!strcmp(key, "append") && c->kind == CHARDEV_FILE)
		return config_flag(a->option, arg, key, value, &c->append);
	if (!strcmp(key, "path") && (c->kind == CHARDEV_FILE || socket)) {
		return config_set_string(&c->path, value);
	}
	if (!strcmp(key, "host") && socket) {
		snprintf(a->host, sizeof(a->host), "%s", value);
		c->kind = CHARDEV_TCP;
		return set_host(a, arg);
	}
	if (!strcmp(key, "port") && socket) {
		c->kind = CHARDEV_TCP;
		return set_port(a, arg, value);
	}
	if (!strcmp(key, "server") && socket)
		return config_flag(a->option, arg, key, value, &c->server);
	if (!strcmp(key, "wait") && socket) {
		if (config_flag(a->option, arg, key, value, &flag))
			return -1;
		c->no_wait = !flag;
		return 0;
	}
	if (!strcmp(key, "mux") || (!strcmp(key, "signal") && c->kind == CHARDEV_STDIO)) {
		if (config_flag(a->option, arg, key, value, &flag))
			return -1;
		return flag ? report("%s %s: %s=on is not supported", a->option, arg, key) : 0;
	}
	return report("%s %s: key '%s' is not supported", a->option, arg, key);
}

/* Is what was said enough? */
static int check(const struct chardev_arg *a, const char *arg)
{
	const struct chardev_config *c = a->c;

	if ((c->kind == CHARDEV_FILE || c->kind == CHARDEV_UNIX) && (!c->path || !*c->path))
		return report("%s %s: the path is missing", a->option, arg);
	if (c->kind == CHARDEV_TCP && c->path)
		return report("%s %s: give path=, or host= and port=", a->option, arg);
	if (c->kind == CHARDEV_TCP && !c->port)
		return report("%s %s: the port is missing", a->option, arg);
	if (c->kind != CHARDEV_UNIX && c->kind != CHARDEV_TCP)
		return 0;
	if (!c->server)
		return report("%s %s: connecting to a server is not supported; add server=on",
			      a->option, arg);
	if (!c->no_wait)
		return report("%s %s: waiting for a client is not supported; add wait=off",
			      a->option, arg);
	return 0;
}

static int only_one_stdio(const struct config *cfg, const struct chardev_arg *a)
{
	unsigned int nr = 0, i;

	for (i = 0; i < MAX_SERIALS; i++)
		nr += cfg->serial[i].kind == CHARDEV_STDIO;
	for (i = 0; i < MAX_CHARDEVS; i++)
		nr += cfg->chardev[i].kind == CHARDEV_STDIO;
	return nr > 1 ? report("%s stdio: can be given only once", a->option) : 0;
}

static struct chardev_config *find(struct config *cfg, const char *id)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_chardevs; i++) {
		if (cfg->chardev[i].id && !strcmp(cfg->chardev[i].id, id))
			return &cfg->chardev[i];
	}
	return NULL;
}

struct chardev_config *config_take_chardev(struct config *cfg, const char *user, const char *id)
{
	struct chardev_config *c = find(cfg, id);

	if (!c) {
		report("%s: there is no -chardev with id=%s", user, id);
		return NULL;
	}
	if (c->taken) {
		report("%s: -chardev %s is connected to something else already", user, id);
		return NULL;
	}
	c->taken = true;
	return c;
}

/* "HOST:PORT" in front of the keys; an IPv6 address stands in brackets. */
static int set_address(struct chardev_arg *a, const char *arg, const char *text, size_t len)
{
	size_t host = len;
	char port[16];

	while (host && text[host - 1] != ':')
		host--;
	snprintf(a->host, sizeof(a->host), "%.*s", host ? (int)host - 1 : 0, text);
	snprintf(port, sizeof(port), "%.*s", (int)(len - host), text + host);
	return set_host(a, arg) || set_port(a, arg, port) ? -1 : 0;
}

static int set_path(struct chardev_config *c, const char *text, size_t len)
{
	free(c->path);
	c->path = strndup(text, len);
	return c->path ? 0 : report("out of memory");
}

int config_parse_serial(struct config *cfg, const char *arg)
{
	static const struct {
		const char *word;
		enum chardev_kind kind;
	} words[] = {
		{ "stdio", CHARDEV_STDIO }, { "null", CHARDEV_NULL }, { "none", CHARDEV_NONE },
		{ "pty", CHARDEV_PTY }, { "file:", CHARDEV_FILE }, { "unix:", CHARDEV_UNIX },
		{ "tcp:", CHARDEV_TCP },
	};
	struct chardev_config *c = &cfg->serial[cfg->nr_serials];
	struct chardev_arg a = { .option = "-serial", .c = c };
	const char *keys = arg + strcspn(arg, ",");
	size_t i, len = 0, rest;

	/* QEMU's way to have escape keys on the console; here a terminal always has them. */
	if (!strcmp(arg, "mon:stdio"))
		keys = (arg += 4) + strlen("stdio");
	if (cfg->nr_serials == MAX_SERIALS)
		return report("-serial %s: there are only %d serial ports", arg, MAX_SERIALS);
	cfg->nr_serials++;
	if (!strncmp(arg, "chardev:", 8))
		return config_set_string(&c->id, arg + 8);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		len = strlen(words[i].word);
		if (!strncmp(arg, words[i].word, len) &&
		    (words[i].word[len - 1] == ':' || !arg[len] || arg[len] == ','))
			break;
	}
	if (i == ARRAY_SIZE(words))
		return report("-serial %s: not supported; use stdio, pty, file:PATH, unix:PATH, "
			      "tcp:HOST:PORT, chardev:ID, null or none", arg);
	c->kind = words[i].kind;
	rest = (size_t)(keys - arg) > len ? (size_t)(keys - arg) - len : 0;
	if ((c->kind == CHARDEV_FILE || c->kind == CHARDEV_UNIX) && set_path(c, arg + len, rest))
		return -1;
	if (c->kind == CHARDEV_TCP && set_address(&a, arg, arg + len, rest))
		return -1;
	if (*keys && config_keys("-serial", keys + 1, set_chardev_key, &a))
		return -1;
	return check(&a, arg) || only_one_stdio(cfg, &a) ? -1 : 0;
}

int config_parse_chardev(struct config *cfg, const char *arg)
{
	static const struct {
		const char *word;
		enum chardev_kind kind;
	} words[] = {
		{ "stdio", CHARDEV_STDIO }, { "null", CHARDEV_NULL }, { "pty", CHARDEV_PTY },
		{ "file", CHARDEV_FILE }, { "socket", CHARDEV_UNIX },
	};
	struct chardev_config *c = &cfg->chardev[cfg->nr_chardevs], taken;
	struct chardev_arg a = { .option = "-chardev", .c = &taken };
	size_t i, len = strcspn(arg, ",");
	int ret;

	if (cfg->nr_chardevs == MAX_CHARDEVS)
		return report("-chardev %s: too many; at most %d", arg, MAX_CHARDEVS);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i].word) == len && !strncmp(arg, words[i].word, len))
			break;
	}
	if (i == ARRAY_SIZE(words))
		return report("-chardev %s: not supported; use stdio, pty, file, socket or null",
			      arg);
	taken = (struct chardev_config){ .kind = words[i].kind };
	ret = arg[len] ? config_keys("-chardev", arg + len + 1, set_chardev_key, &a) : 0;
	if (!ret && (!taken.id || !*taken.id))
		ret = report("-chardev %s: id= is missing", arg);
	if (!ret && find(cfg, taken.id))
		ret = report("-chardev %s: id '%s' is taken", arg, taken.id);
	*c = taken;
	cfg->nr_chardevs++;
	return ret || check(&a, arg) || only_one_stdio(cfg, &a) ? -1 : 0;
}

/* `-serial chardev:ID`: the port gets what the chardev is. */
int config_check_chardevs(struct config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_serials; i++) {
		struct chardev_config *port = &cfg->serial[i], *c;

		if (!port->id)
			continue;
		c = config_take_chardev(cfg, "-serial", port->id);
		if (!c)
			return -1;
		free(port->id);
		*port = *c;
		port->id = NULL;
		c->kind = CHARDEV_NONE;
		c->path = NULL;
	}
	return 0;
}

void chardev_config_free(struct chardev_config *c)
{
	free(c->path);
	free(c->id);
	*c = (struct chardev_config){ .kind = CHARDEV_NONE };
}
