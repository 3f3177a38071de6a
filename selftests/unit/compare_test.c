// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of `mkvm compare`'s parts that need no VM: statistics, what is read from benchmark
 * programs, kernel and files, and the writers of reports, with hostile input to each.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "compare/cgroup.h"
#include "compare/child.h"
#include "compare/echo.h"
#include "compare/host.h"
#include "compare/initramfs.h"
#include "compare/modules.h"
#include "compare/result.h"
#include "compare/rows.h"
#include "scratch.h"
#include "tap.h"

/* Instead of inspect/exits.c, which brings all of `mkvm vmcs` with it. */
const char *exit_reason_name(u32 basic)
{
	return basic == 48 ? "EPT violation" : NULL;
}

static struct samples s;

/* What a writer writes, until the next call. */
static const char *written(void (*write)(FILE *f, const json_t *result), const json_t *result)
{
	static char *text;
	static size_t size;
	FILE *f;

	free(text);
	f = open_memstream(&text, &size);
	if (!f)
		tap_bail("no memory");
	write(f, result);
	fclose(f);
	return text;
}

static void statistics(void)
{
	const struct sample_set *set = &s.set[0];
	u64 i;

	tap_ok(!samples_line(&s, "cpuid 30 10 20") && s.n == 1 && set->n == 3 &&
		       set->value[0] == 30,
	       "a line of samples is read");
	tap_ok(!samples_line(&s, "cpuid 18446744073709551615") && set->n == 4 &&
		       set->value[3] == ~0ull,
	       "more of the same are added; the largest number fits");
	samples_sort(&s);
	tap_ok(set->value[0] == 10 && samples_percentile(set, 50) == 30 &&
		       samples_percentile(set, 90) == ~0ull && samples_percentile(set, 0) == 10,
	       "median and percentiles of four");
	samples_free(&s);
	for (i = 0; i < 1000; i++)
		samples_add(&s, "x", 999 - i);
	samples_sort(&s);
	tap_ok(samples_percentile(&s.set[0], 50) == 500 &&
		       samples_percentile(&s.set[0], 90) == 900 &&
		       samples_percentile(&s.set[0], 100) == 999,
	       "of a thousand");
	tap_ok(!samples_line(&s, "none") == 0 &&
		       samples_percentile(&(struct sample_set){ .n = 0 }, 50) == 0,
	       "of none");
	samples_free(&s);
}

static void bad_samples(void)
{
	static const char *const lines[] = {
		"",
		" ",
		"cpuid",
		"cpuid ",
		"cpuid  1",
		"cpuid 1 ",
		"cpuid -1",
		"cpuid 1x",
		"cpuid 18446744073709551616",
		"cpuid 99999999999999999999999",
		"CPUID 1",
		"a<b 1",
		"../x 1",
		"abcdefghijklmnopqrstuvwxyz0123456 1",
		"cpuid\t1",
		"1 2\n",
	};
	char name[32];
	size_t i, refused = 0;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		if (samples_line(&s, lines[i]) == -EINVAL)
			refused++;
		else
			tap_diag("taken: '%s'", lines[i]);
	}
	tap_ok(refused == ARRAY_SIZE(lines) && !s.n, "lines that are no samples change nothing");
	for (i = 0; !ret && i < 10000; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		ret = samples_add(&s, name, i);
	}
	tap_ok(ret == -ENOSPC && s.n == SAMPLES_MAX_SETS && samples_line(&s, "more 1") == -ENOSPC,
	       "the number of sets is limited");
	samples_free(&s);
	for (i = 0, ret = 0; !ret && i < 2 * SAMPLES_MAX; i++)
		ret = samples_add(&s, "x", i);
	tap_ok(ret == -ENOSPC && s.set[0].n == SAMPLES_MAX, "and that of samples");
	samples_free(&s);
}

static void histogram(void)
{
	static const char *const bad[] = {
		"# event histogram",
		"{ exit_reason: x } hitcount: 1",
		"{ exit_reason: 1 }",
		"{ exit_reason: 99999999 } hitcount: 3",
		"Totals:",
		"",
		"    Hits: 40",
	};
	json_t *result = result_new(), *host;
	size_t i, refused = 0;

	tap_ok(reasons_line(&s, "reason_", "{ exit_reason:         48 } hitcount:        123\n") &&
		       s.n == 1 && !strcmp(s.set[0].name, "reason_48") && s.set[0].value[0] == 123,
	       "a line of the kernel's histogram");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		refused += !reasons_line(&s, "reason_", bad[i]);
	tap_ok(refused == ARRAY_SIZE(bad) && s.n == 1, "others are left out");
	reasons_line(&s, "reason_", "{ exit_reason: 65 } hitcount: 2");
	reasons_line(&s, "svm_", "{ exit_reason: 123 } hitcount: 3");
	host = result_add_host(result, "1", "cycles", 0, "");
	rows_publish(host, "kvm", &s);
	tap_ok(!s.n && strstr(written(result_write_table, result), "EPT violation") &&
		       strstr(written(result_write_table, result), "exit reason 65") &&
		       strstr(written(result_write_table, result), "SVM exit code 0x7b"),
	       "reasons are told by name or number");
	json_decref(result);
}

/* A result with a row in each column, and names that are hostile. */
static json_t *hostile_result(void)
{
	static const char evil[] = "</td><script>alert(1)</script>&\"'\x1b[31m\n";
	json_t *result = result_new(),
	       *host = result_add_host(result, "1", "cycles", 2000000, evil);
	u64 values[] = { 1, 2, 3 };
	struct sample_set set = { .name = "cpuid", .value = values, .n = 3 };

	result_add_column(host, "kvm", evil);
	result_add_column(host, "kvm", "a second time");
	result_add_column(host, "minikvm", "mini-KVM");
	result_add(host, "kvm", GROUP_EXITS, evil, RESULT_TSC, &set);
	values[1] = 1;
	values[2] = INT64_MAX;
	result_add(host, "minikvm", GROUP_EXITS, "not taken", RESULT_TSC, &set);
	result_add(host, "kvm", evil, "caf\xc3\xa9 \xff", evil, &set);
	result_note(host, "%s", evil);
	result_note(host, "%s", evil);
	return result;
}

static void writers(void)
{
	json_t *result = hostile_result(), *again, *host, *rows;
	const char *text;

	tap_ok(!result_check(result, "hostile"), "a result of hostile names is one");
	host = json_array_get(json_object_get(result, "hosts"), 0);
	rows = json_object_get(host, "rows");
	tap_ok(json_array_size(json_object_get(host, "columns")) == 2 &&
		       json_array_size(json_object_get(host, "notes")) == 1 &&
		       json_array_size(rows) == 2,
	       "columns, notes and rows are there once");
	tap_ok(result_ratio(json_array_get(rows, 0), "minikvm", "kvm") == 0.5 &&
		       result_ratio(json_array_get(rows, 1), "minikvm", "kvm") < 0 &&
		       result_ratio(json_array_get(rows, 0), "kvm", "nobody") < 0,
	       "ratios");
	text = written(result_write_html, result);
	tap_ok(!strstr(text, "<script") && strstr(text, "&lt;script&gt;alert(1)") &&
		       strstr(text, "&amp;&quot;&#39;?[31m?") && strstr(text, "</html>"),
	       "the page shows hostile names as text");
	tap_ok(!strstr(text, "http://") && !strstr(text, "https://") && !strstr(text, "src=") &&
		       strstr(text, "<svg"),
	       "it has plots and nothing from elsewhere");
	tap_ok(strstr(text, "1 ns"), "and nanoseconds where the counter counts cycles");
	text = written(result_write_table, result);
	tap_ok(!strchr(text, '\x1b') && strstr(text, "0.500") && strstr(text, "caf?? ?"),
	       "the table has no control characters, and the ratio");
	text = written(result_write_json, result);
	again = json_loads(text, 0, NULL);
	tap_ok(again && json_equal(again, result), "the JSON is read back equal");
	result_merge(result, again);
	tap_ok(json_array_size(json_object_get(result, "hosts")) == 2 &&
		       !result_check(result, "merged"),
	       "two results become one");
	json_decref(again);
	json_decref(result);
	result = result_new();
	tap_ok(!result_check(result, "empty") &&
		       strstr(written(result_write_html, result), "Nothing was"),
	       "a page of nothing");
	result_add_host(result, "1", "instructions", 0, "");
	tap_ok(strstr(written(result_write_html, result), "Nothing was") &&
		       strstr(written(result_write_table, result), "Nothing was"),
	       "and of a host on which nothing was measured");
	json_decref(result);
}

static bool refused(const char *text)
{
	FILE *f = fopen("bad.json", "w");
	json_t *result;

	if (!f || fputs(text, f) < 0 || fclose(f))
		tap_bail("cannot write");
	result = result_load("bad.json");
	json_decref(result);
	if (result)
		tap_diag("taken: %s", text);
	return !result;
}

#define FORMAT "{\"format\": \"mkvm-compare\", \"version\": "
#define HOST                                                                                        \
	FORMAT "1, \"hosts\": [{\"cpu\": \"\", \"kernel\": \"\", \"mkvm\": \"\", \"guest\": \"\", " \
	       "\"date\": \"\", \"unit\": \"\", \"cpus\": 1, \"tsc_khz\": 0, \"columns\": [], "
#define ROW "{\"group\": \"\", \"name\": \"\", \"title\": \"\", \"unit\": \"\", \"values\": "

static void files(void)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"3",
		"{\"format\": \"other\"}",
		FORMAT "2, \"hosts\": []}",
		FORMAT "1}",
		FORMAT "1, \"hosts\": {}}",
		FORMAT "1, \"hosts\": [1]}",
		FORMAT "1, \"hosts\": [], \"hosts\": []}",
		HOST "\"rows\": 1, \"notes\": []}]}",
		HOST "\"rows\": [], \"notes\": [1]}]}",
		HOST "\"rows\": [1], \"notes\": []}]}",
		HOST "\"rows\": [" ROW "[]}], \"notes\": []}]}",
		HOST "\"rows\": [" ROW "{\"kvm\": 1}}], \"notes\": []}]}",
		HOST "\"rows\": [" ROW
		     "{\"kvm\": {\"n\": 1, \"p50\": -1, \"p90\": 1}}}], \"notes\": []}]}",
		HOST "\"rows\": [" ROW
		     "{\"kvm\": {\"n\": 1, \"p50\": 1.5, \"p90\": 1}}}], \"notes\": []}]}",
	};
	json_t *result = result_new(), *again;
	size_t i, n = 0;
	struct stat st;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		n += refused(bad[i]);
	tap_ok(n == ARRAY_SIZE(bad), "files that are no results are refused");
	tap_ok(!refused(HOST "\"rows\": [" ROW "{}}], \"notes\": []}]}"),
	       "a row without figures is taken");
	tap_ok(!result_load("missing.json"), "so is a missing file");
	tap_ok(!result_save("r.json", result_write_json, result) && !stat("r.json", &st) &&
		       (st.st_mode & 0777) == 0644,
	       "a result is saved");
	again = result_load("r.json");
	tap_ok(again && json_equal(result, again), "and loaded");
	json_decref(again);
	tap_ok(result_save("no/such/dir", result_write_json, result) &&
		       result_save("/dev/full/x", result_write_json, result),
	       "where it cannot be, it is told");
	json_decref(result);
}

static void names(void)
{
	char name[16], text[64];

	tap_ok(module_name(name, sizeof(name), "kvm-intel") && !strcmp(name, "kvm_intel"),
	       "a module's name");
	tap_ok(module_name(name, sizeof(name), "../x/mini-kvm.ko") && !strcmp(name, "mini_kvm"),
	       "and that of its file");
	tap_ok(!module_name(name, sizeof(name), "") && !module_name(name, sizeof(name), "x/") &&
		       !module_name(name, sizeof(name), "a b") &&
		       !module_name(name, sizeof(name), "x.ko.xz") &&
		       !module_name(name, sizeof(name), "sixteen_bytes_it_"),
	       "no module's name");
	module_holders(text, sizeof(text), "/dev/no-such-device", "anon_inode:none");
	tap_ok(!*text, "nobody holds a device that is not there");
}

static void put_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		tap_bail("cannot write %s", path);
}

static void initramfs(void)
{
	static const char dep[] =
		"kernel/a/virtio-pci.ko.xz: kernel/b/two.ko kernel/b/one.ko\n"
		"kernel/a/virtio_pci_legacy.ko:\nkernel/b/one.ko:\nvirtio_net.ko: kernel/b/one.ko\n";
	char image[1024] = "", release[32];
	struct stat st;
	u16 at = 0x100;

	memcpy(image + 0x202, "HdrS", 4);
	memcpy(image + 0x20e, &at, 2);
	strcpy(image + 0x300, "6.1.0-56-amd64 (builder) #1");
	put_file("vmlinuz", image, sizeof(image));
	tap_ok(!initramfs_release(release, sizeof(release), "vmlinuz") &&
		       !strcmp(release, "6.1.0-56-amd64"),
	       "a kernel tells its release");
	tap_ok(initramfs_release(release, 4, "vmlinuz"), "which may be too long");
	strcpy(image + 0x300, "../../etc x");
	put_file("vmlinuz", image, sizeof(image));
	tap_ok(initramfs_release(release, sizeof(release), "vmlinuz"),
	       "or a path, which is refused");
	put_file("vmlinuz", image, 0x208);
	tap_ok(initramfs_release(release, sizeof(release), "vmlinuz") &&
		       initramfs_release(release, sizeof(release), "nothing"),
	       "a short file and none");
	mkdir("kernel", 0755);
	mkdir("kernel/a", 0755);
	mkdir("kernel/b", 0755);
	put_file("modules.dep", dep, sizeof(dep) - 1);
	put_file("kernel/a/virtio-pci.ko.xz", "PCI", 3);
	put_file("kernel/b/one.ko", "1", 1);
	put_file("virtio_net.ko", "net", 3);
	put_file("init", "#!", 2);
	tap_ok(initramfs_make("cpio", "init", "."), "a module that is missing is told");
	put_file("kernel/b/two.ko", "22", 2);
	tap_ok(!initramfs_make("cpio", "init", ".") && !stat("cpio", &st), "an initramfs is made");
	tap_ok(!system("mkdir x && cd x && cpio -i --quiet <../cpio && "
		       "[ $(ls modules | wc -l) = 4 ] && "
		       "[ $(cat modules/0.ko)$(cat modules/1.ko) = 122 ] && "
		       "cmp -s modules/2.ko ../kernel/a/virtio-pci.ko.xz && [ -x init ]"),
	       "cpio finds each module once in it, behind what it needs");
	tap_ok(initramfs_make("cpio", "init", "kernel"), "a folder without modules.dep is told");
}

/* Sends a frame with its length, in two parts; what came back of it, or -1. */
static ssize_t through(struct echo *e, int fd, u8 *frame, u32 len, u8 *back, size_t size)
{
	u32 be = htonl(len);

	if (send(fd, &be, 2, 0) != 2)
		return -1;
	echo_serve(e);
	if (send(fd, (u8 *)&be + 2, 2, 0) != 2 || send(fd, frame, len, 0) != (ssize_t)len)
		return -1;
	echo_serve(e);
	return recv(fd, back, size, MSG_DONTWAIT);
}

static void echoes(void)
{
	static struct echo e;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	u8 frame[64] = "aaaaaabbbbbb\x88\xb5", back[128];
	u32 huge = htonl(0x7fffffff);
	int fd;

	if (echo_open(&e, "."))
		tap_bail("no socket");
	strcpy(addr.sun_path, e.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		tap_bail("cannot connect");
	echo_accept(&e);
	tap_ok(through(&e, fd, frame, sizeof(frame), back, sizeof(back)) == sizeof(frame) + 4 &&
		       !memcmp(back + 4, "bbbbbbaaaaaa", 12),
	       "a test frame comes back where it came from");
	frame[12] = 8;
	tap_ok(through(&e, fd, frame, sizeof(frame), back, sizeof(back)) == -1 && e.fd >= 0,
	       "others do not");
	tap_ok(through(&e, fd, frame, 3, back, sizeof(back)) == -1 && e.fd >= 0,
	       "nor one without a header");
	tap_ok(send(fd, &huge, 4, 0) == 4, "a length that is none");
	echo_serve(&e);
	tap_ok(e.fd < 0 && recv(fd, back, sizeof(back), 0) == 0, "ends the connection");
	close(fd);
	echo_close(&e);
	tap_ok(access(e.path, F_OK) != 0, "the socket's file is taken away");
}

static unsigned int lines;

static void count_line(void *opaque, char *line)
{
	*(size_t *)opaque += strlen(line);
	lines++;
}

/* Reads all; the exit status. */
static int run_shell(const char *script, size_t *length)
{
	struct child c;
	int status;

	lines = 0;
	*length = 0;
	child_init(&c);
	child_arg(&c, "sh");
	child_arg(&c, "-c");
	child_arg(&c, "%s", script);
	if (child_start(&c, NULL))
		tap_bail("cannot start a shell");
	while (child_read(&c, count_line, length))
		;
	status = child_wait(&c);
	child_free(&c);
	return status;
}

static void children(void)
{
	struct child c;
	size_t length;
	int i;

	tap_ok(run_shell("printf 'one\\r\\ntwo\\nrest'; exit 3", &length) == 3 && lines == 3 &&
		       length == 10,
	       "lines and status of a program");
	tap_ok(run_shell("head -c 200000 /dev/zero; kill -TERM $$", &length) == 128 + 15 &&
		       length == 200000 && lines == 4,
	       "a line that never ends, of NULs; a signal");
	child_init(&c);
	child_arg(&c, "/no/such/program");
	tap_ok(!child_start(&c, NULL) && child_wait(&c) == 127, "a program that is not there");
	child_free(&c);
	child_init(&c);
	for (i = 0; i < CHILD_MAX_ARGS + 5; i++)
		child_arg(&c, "x");
	tap_ok(child_start(&c, NULL) == -1, "too many arguments");
	child_free(&c);
	child_init(&c);
	child_arg(&c, "sleep");
	child_arg(&c, "100");
	tap_ok(!child_start(&c, NULL), "a program that does not end");
	child_free(&c);
	tap_ok(c.pid < 0, "is ended");
}

/* Where the memory controller is not to be had it must be refused, and leave nothing. */
static void cgroups(void)
{
	struct cgroup g;
	struct child c;
	u64 before, with;
	int i;

	if (cgroup_open(&g)) {
		cgroup_close(&g);
		tap_ok(g.root == -1 && g.dir == -1 && g.procs == -1, "a cgroup that cannot be made");
		tap_skip("no memory cgroup: memory of a program");
		return;
	}
	child_init(&c);
	child_arg(&c, "sleep");
	child_arg(&c, "100");
	c.cgroup = g.procs;
	tap_ok(!cgroup_kernel(&g, &before) && !child_start(&c, NULL), "a program in a cgroup");
	/* It moves before it becomes sleep; a process has page tables and a stack at least. */
	for (i = 0, with = before; i < 500 && with < before + 16; i++) {
		usleep(10000);
		if (cgroup_kernel(&g, &with))
			break;
	}
	child_free(&c);
	cgroup_close(&g);
	tap_ok(with >= before + 16, "memory of a program");
}

int main(void)
{
	/* Reports are expected here, and are no matter for whoever reads the log. */
	if (!freopen("/dev/null", "w", stderr))
		tap_bail("no /dev/null");
	scratch_enter();
	statistics();
	bad_samples();
	histogram();
	writers();
	files();
	names();
	initramfs();
	echoes();
	children();
	cgroups();
	scratch_leave();
	return tap_done();
}
