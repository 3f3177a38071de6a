// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the HTML report of `mkvm compare`: one page without script and without anything from
 * elsewhere, whose plots are inline SVG.
 */
#include <string.h>

#include "compare/result.h"

#define PLOT_WIDTH 300
#define BAR_HEIGHT 9

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<title>mini-KVM and stock KVM compared</title>\n<style>\n"
	":root { --c0: #8a8f98; --c1: #1f77b4; --c2: #c9a227; --c3: #7b3fa0; }\n"
	"body { font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 84em; padding: 0 1em;\n"
	"  color: #1c1f24; background: #fff; }\n"
	"h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }\n"
	"h3 { font-size: 1em; margin: 1.6em 0 .3em; }\n"
	"table { border-collapse: collapse; width: 100%; }\n"
	"th, td { padding: .25em .6em; text-align: right; border-bottom: 1px solid #e3e5e8;\n"
	"  white-space: nowrap; font-variant-numeric: tabular-nums; }\n"
	"th { font-weight: 600; white-space: normal; } td:first-child, th:first-child { text-align: left;\n"
	"  white-space: normal; min-width: 15em; }\n"
	"td.plot { padding: .1em 0 .1em .6em; width: 304px; text-align: left; }\n"
	"small { color: #6a7079; } .less { color: #1a7f37; } .more { color: #b42318; }\n"
	".b0 { fill: var(--c0); } .b1 { fill: var(--c1); } .b2 { fill: var(--c2); }\n"
	".b3 { fill: var(--c3); } .p90 { stroke: #1c1f24; stroke-width: 1; }\n"
	".key span { display: inline-block; width: 1em; height: .8em; margin: 0 .4em 0 1em; }\n"
	".k0 { background: var(--c0); } .k1 { background: var(--c1); }\n"
	".k2 { background: var(--c2); } .k3 { background: var(--c3); }\n"
	"</style>\n</head>\n<body>\n<h1>mini-KVM and stock KVM compared</h1>\n";

/* A text that may hold anything, as text. */
static void put_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, f);
		}
	}
}

static const char *get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t figure(const json_t *row, const json_t *column, const char *which)
{
	const json_t *value = json_object_get(json_object_get(row, "values"), get(column, "id"));

	return value ? json_integer_value(json_object_get(value, which)) : -1;
}

/* A number with a thin space between thousands. */
static void put_number(FILE *f, json_int_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, n), i;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			fputs("&#8239;", f);
		fputc(digits[i], f);
	}
}

/* A bar for each column as long as its median, and a line from there to the 90th percentile. */
static void put_plot(FILE *f, const json_t *row, const json_t *columns)
{
	size_t n = json_array_size(columns), i;
	json_int_t most = 1, p50, p90;
	json_t *column;
	double scale;

	json_array_foreach(columns, i, column) {
		p50 = figure(row, column, "p50");
		p90 = figure(row, column, "p90");
		most = p50 > most ? p50 : most;
		/* One far tail must not flatten all bars. */
		if (p90 > most && p90 / 3 <= p50)
			most = p90;
	}
	scale = (double)(PLOT_WIDTH - 2) / (double)most;
	fprintf(f, "<svg role=\"img\" width=\"%d\" height=\"%zu\" viewBox=\"0 0 %d %zu\"><title>",
		PLOT_WIDTH, n * BAR_HEIGHT, PLOT_WIDTH, n * BAR_HEIGHT);
	put_text(f, get(row, "title"));
	fputs("</title>", f);
	json_array_foreach(columns, i, column) {
		p50 = figure(row, column, "p50");
		p90 = figure(row, column, "p90");
		if (p50 < 0)
			continue;
		fprintf(f, "<rect class=\"b%zu\" x=\"0\" y=\"%zu\" width=\"%.1f\" height=\"%d\"/>",
			i % 4, i * BAR_HEIGHT + 1, (double)p50 * scale, BAR_HEIGHT - 2);
		if (p90 > p50)
			fprintf(f, "<path class=\"p90\" d=\"M%.1f %.1fH%.1f\"/>",
				(double)p50 * scale, ((double)i + 0.5) * BAR_HEIGHT,
				(double)(p90 > most ? most : p90) * scale);
	}
	fputs("</svg>", f);
}

static void put_ratio(FILE *f, double ratio)
{
	if (ratio < 0)
		fputs("<td>&ndash;</td>", f);
	else
		fprintf(f, "<td class=\"%s\">%.3f</td>",
			ratio < 0.9995 ? "less" :
			ratio < 1.0005 ? "same" :
					 "more",
			ratio);
}

static void put_row(FILE *f, const json_t *host, const json_t *row, double khz)
{
	json_t *columns = json_object_get(host, "columns"), *column;
	bool in_ns = khz > 0 && !strcmp(get(row, "unit"), RESULT_TSC) &&
		     !strcmp(get(host, "unit"), "cycles");
	json_int_t p50, p90;
	size_t i;

	fputs("<tr><td>", f);
	put_text(f, get(row, "title"));
	fputs("</td>", f);
	json_array_foreach(columns, i, column) {
		p50 = figure(row, column, "p50");
		p90 = figure(row, column, "p90");
		if (p50 < 0) {
			fputs("<td>&ndash;</td>", f);
			continue;
		}
		fputs("<td>", f);
		put_number(f, p50);
		if (figure(row, column, "n") > 1) {
			fputs(" <small>/ ", f);
			put_number(f, p90);
			fputs("</small>", f);
		}
		if (in_ns)
			fprintf(f, "<br><small>%.0f ns</small>", (double)p50 * 1e6 / khz);
		fputs("</td>", f);
	}
	put_ratio(f, result_ratio(row, "minikvm", "kvm"));
	put_ratio(f, result_ratio(row, "minikvm", "qemu-kvm"));
	fputs("<td class=\"plot\">", f);
	put_plot(f, row, columns);
	fputs("</td></tr>\n", f);
}

static void put_group(FILE *f, const json_t *host, const json_t *row)
{
	const char *unit = get(row, "unit");
	json_t *column;
	size_t i;

	fputs("<h3>", f);
	put_text(f, get(row, "group"));
	fputs(" <small>", f);
	put_text(f, !strcmp(unit, RESULT_TSC) ? get(host, "unit") : unit);
	fputs("</small></h3>\n<table>\n<tr><th></th>", f);
	json_array_foreach(json_object_get(host, "columns"), i, column) {
		fputs("<th>", f);
		put_text(f, get(column, "title"));
		fputs("</th>", f);
	}
	fputs("<th>ratio</th><th>to QEMU</th><th></th></tr>\n", f);
}

static void put_host(FILE *f, const json_t *host)
{
	double khz = (double)json_integer_value(json_object_get(host, "tsc_khz"));
	const char *group = NULL;
	json_t *row, *column, *note;
	size_t i;

	fputs("<h2>", f);
	put_text(f, get(host, "cpu"));
	fprintf(f, ", CPUs: %d</h2>\n<p>Host: ",
		(int)json_integer_value(json_object_get(host, "cpus")));
	put_text(f, get(host, "kernel"));
	fputs(". Guest: ", f);
	put_text(f, get(host, "guest"));
	fputs(". mkvm ", f);
	put_text(f, get(host, "mkvm"));
	fputs(". Measured ", f);
	put_text(f, get(host, "date"));
	fputs(". The time-stamp counter counts ", f);
	put_text(f, get(host, "unit"));
	fputs(". Figures are medians / 90th percentiles; the ratio is mini-KVM's median to stock "
	      "KVM's, below 1 is better for mini-KVM; &ldquo;to QEMU&rdquo; is mkvm on mini-KVM "
	      "to QEMU on stock KVM.</p>\n<p class=\"key\">",
	      f);
	json_array_foreach(json_object_get(host, "columns"), i, column) {
		fprintf(f, "<span class=\"k%zu\"></span>", i % 4);
		put_text(f, get(column, "title"));
	}
	fputs("</p>\n", f);
	json_array_foreach(json_object_get(host, "rows"), i, row) {
		if (!group || strcmp(group, get(row, "group"))) {
			fputs(group ? "</table>\n" : "", f);
			put_group(f, host, row);
		}
		group = get(row, "group");
		put_row(f, host, row, khz);
	}
	fputs(group ? "</table>\n" : "<p>Nothing was measured.</p>\n", f);
	json_array_foreach(json_object_get(host, "notes"), i, note) {
		fputs(i ? "<li>" : "<h3>Notes</h3>\n<ul>\n<li>", f);
		put_text(f, json_string_value(note));
		fputs("</li>\n", f);
	}
	if (i)
		fputs("</ul>\n", f);
}

void result_write_html(FILE *f, const json_t *result)
{
	json_t *host;
	size_t i;

	fputs(head, f);
	json_array_foreach(json_object_get(result, "hosts"), i, host) put_host(f, host);
	if (!i)
		fputs("<p>Nothing was measured.</p>\n", f);
	fputs("</body>\n</html>\n", f);
}
