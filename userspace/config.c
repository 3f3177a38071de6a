// SPDX-License-Identifier: GPL-2.0
/*
 * Options of `mkvm run`: GNU long options and QEMU's spelling of the same, into struct config. One
 * table says what each option does.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_device.h"
#include "config_parse.h"
#include "report.h"
#include "types.h"

#define DEFAULT_MEM_SIZE	(512 * MIB)

static const char help_text[] =
	"Usage: mkvm run -kernel FILE [options]\n"
	"Run a virtual machine. Options take one dash or two, values follow after a\n"
	"space or '='; they are spelt as QEMU's. The most common ones, mkvm(1) has all:\n"
	"\n"
	"  -kernel FILE       kernel to boot: Linux bzImage, or ELF file (vmlinux, PVH)\n"
	"  -initrd FILE       initial ramdisk\n"
	"  -append STRING     kernel command line: 'console=ttyS0 root=/dev/vda'\n"
	"  -m SIZE            memory in MiB, or with M or G (default 512)\n"
	"  -smp N             virtual CPUs (default 1); also sockets=,cores=,threads=\n"
	"  -name NAME         name of the machine (default mkvm-PID)\n"
	"  -drive file=FILE[,format=F][,if=virtio|none][,id=ID][,readonly=on][,cache=C]\n"
	"                     image or block device as the next disk: /dev/vda, vdb...\n"
	"  -hda FILE          the same, short\n"
	"  -nic KIND[,mac=MAC][,KEY=VALUE...]\n"
	"                     network device on KIND: user, tap, bridge, macvtap,\n"
	"                     stream, socket, none; also -netdev with -device, -net\n"
	"  -device MODEL[,KEY=VALUE...]\n"
	"                     virtio-blk-pci, virtio-net-pci, virtio-rng-pci,\n"
	"                     virtio-serial-pci with virtconsole\n"
	"  -serial STREAM     first use COM1 (ttyS0, default stdio), second COM2:\n"
	"                     stdio, pty, file:FILE, null, none, chardev:ID, or\n"
	"                     unix:PATH or tcp:127.0.0.1:PORT with ,server=on,wait=off\n"
	"  -nographic         accepted: the serial port is the console anyway\n"
	"  -accel ACCEL       minikvm (default), kvm, or the path of a device\n"
	"  -daemonize         go on in the background; 'mkvm console' shows the console\n"
	"  -no-reboot         end with status 2 when the guest resets\n"
	"  -pidfile FILE      write the process id to FILE\n"
	"  -user NAME         become NAME once all files are open\n"
	"  -dry-run           print the machine instead of running it\n"
	"  -h, -help          this text          -version  version of mkvm\n"
	"\n"
	"On the console: Ctrl-A x quits, Ctrl-A h lists the keys.\n"
	"Exit status: 0 guest powered off, 1 usage or host error, 2 guest reset,\n"
	"3 triple fault, 4 vCPU error, 128+N killed by signal N.\n";

enum option_action {
	ACTION_STRING,		/* copy the value into a field */
	ACTION_FLAG,		/* set a field */
	ACTION_PARSE,		/* call a parser */
	ACTION_IGNORE,		/* says what is so anyway */
	ACTION_REFUSE,		/* known, and not supported: say why */
	ACTION_HELP,
	ACTION_VERSION,
};

/**
 * struct run_option - one option
 * @name: without dashes
 * @action: what to do
 * @has_value: a value follows
 * @optional: it may be left out, and follows '=' only; NULL then
 * @field: offset in struct config; ACTION_STRING, ACTION_FLAG
 * @parse: ACTION_PARSE; 0, or -1 after a report
 * @why: ACTION_REFUSE: the rest of the sentence
 */
struct run_option {
	const char *name;
	enum option_action action;
	bool has_value;
	bool optional;
	size_t field;
	int (*parse)(struct config *cfg, const char *arg);
	const char *why;
};

#define STRING(n, f)	{ .name = (n), .action = ACTION_STRING, .has_value = true, \
			  .field = offsetof(struct config, f) }
#define FLAG(n, f)	{ .name = (n), .action = ACTION_FLAG, .field = offsetof(struct config, f) }
#define PARSE(n, fn)	{ .name = (n), .action = ACTION_PARSE, .has_value = true, .parse = (fn) }
#define IGNORE(n)	{ .name = (n), .action = ACTION_IGNORE }
#define REFUSE(n, w)	{ .name = (n), .action = ACTION_REFUSE, .why = (w) }
#define REFUSE_VALUE(n, w) \
			{ .name = (n), .action = ACTION_REFUSE, .has_value = true, .why = (w) }

static const struct run_option run_options[] = {
	STRING("kernel", kernel),
	STRING("initrd", initrd),
	STRING("append", append),
	PARSE("m", config_parse_memory),
	PARSE("memory", config_parse_memory),
	STRING("mem-path", mem_path),
	FLAG("mem-prealloc", mem_prealloc),
	PARSE("overcommit", config_parse_overcommit),
	PARSE("smp", config_parse_smp),
	PARSE("name", config_parse_name),
	PARSE("accel", config_parse_accel),
	PARSE("machine", config_parse_machine),
	PARSE("M", config_parse_machine),
	PARSE("cpu", config_parse_cpu),
	PARSE("drive", config_parse_drive),
	PARSE("hda", config_parse_hda),
	PARSE("device", config_parse_device),
	PARSE("netdev", config_parse_netdev),
	PARSE("nic", config_parse_nic),
	PARSE("net", config_parse_net),
	PARSE("serial", config_parse_serial),
	PARSE("chardev", config_parse_chardev),
	PARSE("rtc", config_parse_rtc),
	PARSE("display", config_parse_display),
	PARSE("vga", config_parse_vga),
	FLAG("snapshot", snapshot),
	FLAG("no-reboot", no_reboot),
	STRING("pidfile", pidfile),
	FLAG("daemonize", daemonize),
	STRING("D", log),
	FLAG("S", start_paused),
	PARSE("qmp", config_parse_qmp),
	PARSE("monitor", config_parse_monitor),
	{ .name = "dry-run", .action = ACTION_PARSE, .optional = true,
	  .parse = config_parse_dry_run },
	PARSE("user", config_parse_user),
	PARSE("runas", config_parse_user),
	STRING("chroot", chroot),
	PARSE("sandbox", config_parse_sandbox),
	IGNORE("nographic"),
	IGNORE("enable-kvm"),
	FLAG("nodefaults", nodefaults),
	IGNORE("no-user-config"),
	IGNORE("no-fd-bootchk"),
	IGNORE("no-hpet"),
	{ .name = "h", .action = ACTION_HELP },
	{ .name = "help", .action = ACTION_HELP },
	{ .name = "version", .action = ACTION_VERSION },

#define NO_FIRMWARE	"there is no firmware yet; boot a kernel with -kernel"
#define NO_DISPLAY	"there is no display yet; use the serial port"
#define NO_USB		"there is no USB"
	REFUSE_VALUE("cdrom", NO_FIRMWARE ", and give the image as a disk: "
			      "-drive file=FILE,readonly=on"),
	REFUSE_VALUE("boot", NO_FIRMWARE),
	REFUSE_VALUE("bios", NO_FIRMWARE),
	REFUSE_VALUE("pflash", NO_FIRMWARE),
	REFUSE_VALUE("L", NO_FIRMWARE),
	REFUSE_VALUE("option-rom", NO_FIRMWARE),
	REFUSE_VALUE("fda", "there is no floppy drive"),
	REFUSE_VALUE("fdb", "there is no floppy drive"),
	REFUSE_VALUE("dtb", "x86 machines have no device tree"),
	REFUSE_VALUE("vnc", NO_DISPLAY),
	REFUSE_VALUE("spice", NO_DISPLAY),
	REFUSE("sdl", NO_DISPLAY),
	REFUSE("curses", NO_DISPLAY),
	REFUSE("full-screen", NO_DISPLAY),
	REFUSE("usb", NO_USB),
	REFUSE_VALUE("usbdevice", NO_USB),
	REFUSE_VALUE("audio", "there is no sound"),
	REFUSE_VALUE("audiodev", "there is no sound"),
	REFUSE_VALUE("soundhw", "there is no sound"),
	REFUSE_VALUE("parallel", "there is no parallel port"),
	REFUSE_VALUE("watchdog", "there is no watchdog device"),
	REFUSE_VALUE("watchdog-action", "there is no watchdog device"),
	REFUSE("no-shutdown", "the machine ends when the guest powers off"),
	REFUSE_VALUE("action", "use -no-reboot"),
	REFUSE_VALUE("tpmdev", "there is no TPM"),
	REFUSE_VALUE("virtfs", "there is no shared folder"),
	REFUSE_VALUE("fsdev", "there is no shared folder"),
	REFUSE_VALUE("uuid", "there are no SMBIOS tables"),
	REFUSE_VALUE("smbios", "there are no SMBIOS tables"),
	REFUSE_VALUE("acpitable", "the ACPI tables are fixed"),
	REFUSE("no-acpi", "the machine cannot do without ACPI"),
	REFUSE_VALUE("numa", "the machine has one memory node"),
	REFUSE_VALUE("object", "there are no such objects"),
	REFUSE_VALUE("icount", "the guest runs on the CPU"),
	REFUSE_VALUE("incoming", "there is no migration"),
	REFUSE_VALUE("loadvm", "there are no saved states"),
	REFUSE_VALUE("gdb", "there is no debugger stub"),
	REFUSE("s", "there is no debugger stub"),
	REFUSE_VALUE("trace", "use the module's tracepoints"),
	REFUSE_VALUE("d", "use the module's tracepoints"),
	REFUSE_VALUE("global", "give the key to -device"),
	REFUSE_VALUE("set", "give the key to -device"),
	REFUSE_VALUE("readconfig", "give the options themselves"),
};

/* Above every character, as getopt returns ':' and '?' for mistakes. */
#define FIRST_OPTION	1000

static struct option getopt_table[ARRAY_SIZE(run_options) + 1];

static void fill_getopt_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(run_options); i++) {
		getopt_table[i].name = run_options[i].name;
		getopt_table[i].has_arg =
			run_options[i].optional  ? optional_argument :
			run_options[i].has_value ? required_argument :
						   no_argument;
		getopt_table[i].val = FIRST_OPTION + (int)i;
	}
}

void config_print_options(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(run_options); i++) {
		if (run_options[i].action != ACTION_REFUSE)
			printf("%s %s\n", run_options[i].name,
			       run_options[i].has_value ? "value" : "flag");
	}
}

/*
 * getopt accepts abbreviations; mkvm does not, so that adding an option never changes what an old
 * line means.
 */
static bool is_exact(const char *token, const char *name)
{
	size_t len = strlen(name);

	token += strspn(token, "-");
	return !strncmp(token, name, len) && (token[len] == '\0' || token[len] == '=');
}

static int set_defaults(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->mem_size = DEFAULT_MEM_SIZE;
	cfg->nr_vcpus = 1;
	cfg->nr_cores = 1;
	cfg->nr_threads = 1;
	return config_set_string(&cfg->accel, "minikvm") ||
	       config_set_string(&cfg->append, "");
}

/* COM1 has the console, unless something else has it. */
static enum chardev_kind default_serial(const struct config *cfg)
{
	unsigned int i;

	if (cfg->nodefaults)
		return CHARDEV_NONE;
	for (i = 0; i < cfg->nr_chardevs; i++) {
		if (cfg->chardev[i].kind == CHARDEV_STDIO)
			return CHARDEV_NULL;
	}
	return cfg->daemonize ? CHARDEV_NULL : CHARDEV_STDIO;
}

static bool uses_terminal(const struct config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_serials; i++) {
		if (cfg->serial[i].kind == CHARDEV_STDIO)
			return true;
	}
	for (i = 0; i < cfg->nr_chardevs; i++) {
		if (cfg->chardev[i].kind == CHARDEV_STDIO)
			return true;
	}
	return false;
}

static int finish(struct config *cfg)
{
	if (!cfg->kernel)
		return report("no kernel; give one with -kernel FILE (see 'mkvm run -help')");
	if (!cfg->nr_serials)
		cfg->serial[cfg->nr_serials++].kind = default_serial(cfg);
	if (cfg->daemonize && uses_terminal(cfg))
		return report("stdio cannot be used with -daemonize; see 'mkvm console'");
	return config_default_name(cfg) || config_check_chardevs(cfg) ||
			       config_check_devices(cfg) || config_check_drives(cfg) ||
			       config_net_finish(cfg) ?
		       -1 :
		       0;
}

static enum config_result apply(struct config *cfg, const struct run_option *o, const char *arg)
{
	void *field = (u8 *)cfg + o->field;
	int err = 0;

	switch (o->action) {
	case ACTION_STRING:
		err = config_set_string(field, arg);
		break;
	case ACTION_FLAG:
		*(bool *)field = true;
		break;
	case ACTION_PARSE:
		err = o->parse(cfg, arg);
		break;
	case ACTION_IGNORE:
		break;
	case ACTION_REFUSE:
		err = report("option '-%s' is not supported: %s", o->name, o->why);
		break;
	case ACTION_HELP:
		fputs(help_text, stdout);
		return CONFIG_DONE;
	case ACTION_VERSION:
		puts("mkvm " MKVM_VERSION);
		return CONFIG_DONE;
	}
	return err ? CONFIG_ERROR : CONFIG_OK;
}

enum config_result config_parse(struct config *cfg, int argc, char **argv)
{
	enum config_result result;
	int id, index;

	if (set_defaults(cfg))
		return CONFIG_ERROR;
	fill_getopt_table();
	opterr = 0;
	optind = 1;
	for (;;) {
		const char *token = optind < argc ? argv[optind] : NULL;

		index = -1;
		id = getopt_long_only(argc, argv, "+:", getopt_table, &index);
		if (id == -1)
			break;
		if (id == ':') {
			report("option '%s' needs a value (see 'mkvm run -help')", token);
			return CONFIG_ERROR;
		}
		if (id == '?' || index < 0 || !is_exact(token, getopt_table[index].name)) {
			report("option '%s' is not supported (see 'mkvm run -help')", token);
			return CONFIG_ERROR;
		}
		result = apply(cfg, &run_options[index], optarg);
		if (result != CONFIG_OK)
			return result;
	}
	if (optind < argc) {
		report("unexpected argument '%s'; disks are given with -drive or -hda",
		       argv[optind]);
		return CONFIG_ERROR;
	}
	return finish(cfg) ? CONFIG_ERROR : CONFIG_OK;
}

void config_free(struct config *cfg)
{
	unsigned int i;

	free(cfg->name);
	free(cfg->process);
	free(cfg->qmp);
	free(cfg->log);
	free(cfg->kernel);
	free(cfg->initrd);
	free(cfg->append);
	free(cfg->mem_path);
	free(cfg->accel);
	free(cfg->pidfile);
	free(cfg->user);
	free(cfg->chroot);
	for (i = 0; i < MAX_SERIALS; i++)
		chardev_config_free(&cfg->serial[i]);
	for (i = 0; i < MAX_CHARDEVS; i++)
		chardev_config_free(&cfg->chardev[i]);
	for (i = 0; i < MAX_DRIVES; i++)
		drive_config_free(&cfg->drive[i]);
	for (i = 0; i < MAX_DEVICES; i++)
		device_config_free(&cfg->device[i]);
	config_net_free(cfg);
	memset(cfg, 0, sizeof(*cfg));
}
