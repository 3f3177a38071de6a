// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the form of a comparison's result: building it, checking one that was read, merging, saving.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "compare/result.h"
#include "report.h"

#define FORMAT	    "mkvm-compare"
#define VERSION	    1
#define MAX_TEXT    512
#define MAX_HOSTS   64
#define MAX_ROWS    2048
#define MAX_COLUMNS 16
#define MAX_NOTES   256

json_t *result_new(void)
{
	return json_pack("{s:s,s:i,s:[]}", "format", FORMAT, "version", VERSION, "hosts");
}

/* The CPU's name, as the kernel tells it. */
static void cpu_name(char *text, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512], *value;

	snprintf(text, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		value = strchr(line, ':');
		if (strncmp(line, "model name", 10) || !value)
			continue;
		value += 1 + (value[1] == ' ');
		value[strcspn(value, "\n")] = '\0';
		snprintf(text, size, "%.*s", (int)size - 1, value);
		break;
	}
	if (f)
		fclose(f);
}

/* A text that JSON can hold; what is not UTF-8 becomes '?'. */
static json_t *text_of(const char *s)
{
	char clean[MAX_TEXT];
	json_t *text = json_string(s);
	size_t i;

	if (text)
		return text;
	for (i = 0; s[i] && i < sizeof(clean) - 1; i++)
		clean[i] = s[i] & 0x80 ? '?' : s[i];
	clean[i] = '\0';
	return json_string(clean);
}

json_t *result_add_host(json_t *result, const char *version, const char *unit, u64 tsc_khz,
			const char *guest)
{
	char cpu[256], kernel[160], date[32];
	struct utsname uts;
	time_t now = time(NULL);
	struct tm tm;
	json_t *host;

	cpu_name(cpu, sizeof(cpu));
	uname(&uts);
	snprintf(kernel, sizeof(kernel), "%s %s", uts.sysname, uts.release);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	host = json_pack("{s:o,s:o,s:s,s:o,s:s,s:i,s:s,s:I,s:[],s:[],s:[]}", "cpu", text_of(cpu),
			 "kernel", text_of(kernel), "mkvm", version, "guest", text_of(guest),
			 "date", date, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "unit", unit,
			 "tsc_khz", (json_int_t)tsc_khz, "columns", "rows", "notes");
	json_array_append_new(json_object_get(result, "hosts"), host);
	return host;
}

void result_add_column(json_t *host, const char *id, const char *title)
{
	json_t *list = json_object_get(host, "columns"), *column;
	size_t i;

	json_array_foreach(list, i, column) {
		if (!strcmp(json_string_value(json_object_get(column, "id")), id))
			return;
	}
	json_array_append_new(list, json_pack("{s:s,s:s}", "id", id, "title", title));
}

static json_t *find_row(json_t *rows, const char *group, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		if (!strcmp(json_string_value(json_object_get(row, "group")), group) &&
		    !strcmp(json_string_value(json_object_get(row, "name")), name))
			return row;
	}
	return NULL;
}

/* Behind the last row of its group. */
static void insert_row(json_t *rows, json_t *new_row, const char *group)
{
	size_t i, at = json_array_size(rows);
	json_t *row;

	json_array_foreach(rows, i, row) {
		if (!strcmp(json_string_value(json_object_get(row, "group")), group))
			at = i + 1;
	}
	json_array_insert_new(rows, at, new_row);
}

void result_add(json_t *host, const char *column, const char *group, const char *title,
		const char *unit, const struct sample_set *set)
{
	json_t *rows = json_object_get(host, "rows");
	json_t *row = find_row(rows, group, set->name);

	if (!row) {
		row = json_pack("{s:s,s:s,s:o,s:s,s:{}}", "group", group, "name", set->name,
				"title", text_of(title), "unit", unit, "values");
		insert_row(rows, row, group);
	}
	json_object_set_new(json_object_get(row, "values"), column,
			    json_pack("{s:I,s:I,s:I}", "n", (json_int_t)set->n, "p50",
				      (json_int_t)samples_percentile(set, 50), "p90",
				      (json_int_t)samples_percentile(set, 90)));
}

void result_note(json_t *host, const char *fmt, ...)
{
	json_t *notes = json_object_get(host, "notes"), *note;
	char text[MAX_TEXT];
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_foreach(notes, i, note) {
		if (!strcmp(json_string_value(note), text))
			return;
	}
	json_array_append_new(notes, text_of(text));
}

static int bad(const char *what, const char *path, const char *why)
{
	return report("%s: %s: %s", what, path, why);
}

static int check_text(const json_t *object, const char *key, const char *what)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return bad(what, key, "is missing or no text");
	if (json_string_length(value) > MAX_TEXT)
		return bad(what, key, "is longer than 512 bytes");
	return 0;
}

static int check_count(const json_t *object, const char *key, const char *what)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return bad(what, key, "is missing or no number from 0 on");
	return 0;
}

static int check_list(const json_t *object, const char *key, size_t most, const char *what)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_array(value))
		return bad(what, key, "is missing or no list");
	if (json_array_size(value) > most)
		return bad(what, key, "has too many members");
	return 0;
}

static int check_row(const json_t *row, const char *what)
{
	json_t *values = json_object_get(row, "values"), *value;
	const char *id;

	if (check_text(row, "group", what) || check_text(row, "name", what) ||
	    check_text(row, "title", what) || check_text(row, "unit", what))
		return -1;
	if (!json_is_object(values))
		return bad(what, "values", "is missing or no object");
	json_object_foreach(values, id, value) {
		if (check_count(value, "n", what) || check_count(value, "p50", what) ||
		    check_count(value, "p90", what))
			return -1;
	}
	return 0;
}

static int check_host(const json_t *host, const char *what)
{
	static const char *const texts[] = { "cpu", "kernel", "mkvm", "guest", "date", "unit" };
	json_t *member;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		if (check_text(host, texts[i], what))
			return -1;
	}
	if (check_count(host, "cpus", what) || check_count(host, "tsc_khz", what) ||
	    check_list(host, "columns", MAX_COLUMNS, what) ||
	    check_list(host, "rows", MAX_ROWS, what) || check_list(host, "notes", MAX_NOTES, what))
		return -1;
	json_array_foreach(json_object_get(host, "columns"), i, member) {
		if (check_text(member, "id", what) || check_text(member, "title", what))
			return -1;
	}
	json_array_foreach(json_object_get(host, "rows"), i, member) {
		if (check_row(member, what))
			return -1;
	}
	json_array_foreach(json_object_get(host, "notes"), i, member) {
		if (!json_is_string(member) || json_string_length(member) > MAX_TEXT)
			return bad(what, "notes", "has a member that is no text up to 512 bytes");
	}
	return 0;
}

int result_check(const json_t *result, const char *what)
{
	const json_t *version = json_object_get(result, "version");
	const char *format = json_string_value(json_object_get(result, "format"));
	json_t *host;
	size_t i;

	if (!format || strcmp(format, FORMAT))
		return report("%s: not a result of mkvm compare (\"format\" is not \"" FORMAT "\")",
			      what);
	if (!json_is_integer(version) || json_integer_value(version) != VERSION)
		return bad(what, "version", "is not 1");
	if (check_list(result, "hosts", MAX_HOSTS, what))
		return -1;
	json_array_foreach(json_object_get(result, "hosts"), i, host) {
		if (check_host(host, what))
			return -1;
	}
	return 0;
}

json_t *result_load(const char *path)
{
	bool piped = !strcmp(path, "-");
	FILE *f = piped ? stdin : fopen(path, "re");
	json_error_t error;
	json_t *result;

	if (!f) {
		report("%s: %s", path, strerror(errno));
		return NULL;
	}
	result = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
	if (!piped)
		fclose(f);
	if (!result) {
		report("%s: line %d: %s", path, error.line, error.text);
		return NULL;
	}
	if (result_check(result, path)) {
		json_decref(result);
		return NULL;
	}
	return result;
}

void result_merge(json_t *result, const json_t *more)
{
	json_array_extend(json_object_get(result, "hosts"), json_object_get(more, "hosts"));
}

static double median(const json_t *row, const char *id)
{
	const json_t *value = json_object_get(json_object_get(row, "values"), id);
	const json_t *p50 = json_object_get(value, "p50");

	return json_is_integer(p50) ? (double)json_integer_value(p50) : -1;
}

double result_ratio(const json_t *row, const char *of, const char *to)
{
	double a = median(row, of), b = median(row, to);

	return a >= 0 && b > 0 ? a / b : -1;
}

void result_write_json(FILE *f, const json_t *result)
{
	json_dumpf(result, f, JSON_INDENT(2));
	fputc('\n', f);
}

int result_save(const char *path, void (*write)(FILE *f, const json_t *result),
		const json_t *result)
{
	char *name;
	FILE *f;
	int fd, err;

	if (!strcmp(path, "-")) {
		write(stdout, result);
		return fflush(stdout) || ferror(stdout) ?
			       report("standard output: %s", strerror(errno)) :
			       0;
	}
	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return report("out of memory");
	fd = mkostemp(name, O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		report("%s: %s", path, strerror(errno));
		if (fd >= 0) {
			close(fd);
			unlink(name);
		}
		free(name);
		return -1;
	}
	write(f, result);
	fchmod(fd, 0644);
	err = fflush(f) || ferror(f) ? errno : 0;
	if (fclose(f) && !err)
		err = errno;
	if (!err && rename(name, path))
		err = errno;
	if (err) {
		unlink(name);
		report("%s: %s", path, strerror(err));
	}
	free(name);
	return err ? -1 : 0;
}
