// SPDX-License-Identifier: GPL-2.0
/*
 * Options of `mkvm run`: GNU long options and QEMU's spelling of the same, into struct config.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_parse.h"
#include "report.h"
#include "types.h"

#define DEFAULT_MEM_SIZE	(512 * MIB)

static const char help_text[] =
	"Usage: mkvm run -kernel FILE [options]\n"
	"Run a virtual machine. Options take one dash or two, values follow after a space or '='.\n"
	"\n"
	"  -kernel FILE        Linux kernel (bzImage) to boot\n"
	"  -initrd FILE        initial ramdisk\n"
	"  -append STRING      kernel command line, e.g. 'console=ttyS0 root=/dev/vda'\n"
	"  -m SIZE             memory in MiB, or with a suffix M or G (default 512)\n"
	"  -smp N              virtual CPUs (default 1)\n"
	"  -name NAME          name of the guest (default mkvm)\n"
	"  -drive file=FILE,format=raw,if=virtio[,readonly=on]\n"
	"                      raw image or block device as the next virtio disk: /dev/vda, vdb, ...\n"
	"  -hda FILE           the same, short\n"
	"  -serial stdio|file:FILE|null|none\n"
	"                      first use: COM1 (ttyS0), second: COM2 (ttyS1); default stdio for COM1\n"
	"  -nographic          accepted: there is no display yet, the serial port is the console\n"
	"  -accel minikvm|kvm|PATH\n"
	"                      accelerator device (default minikvm: /dev/minikvm)\n"
	"  -enable-kvm         accepted: mkvm always uses an accelerator\n"
	"  -no-reboot          end with status 2 when the guest resets, instead of restarting it\n"
	"  -pidfile FILE       write the process id to FILE\n"
	"  -h, -help           this text          -version  version of mkvm\n"
	"\n"
	"On the console: Ctrl-A x quits, Ctrl-A h lists the keys, Ctrl-A Ctrl-A sends Ctrl-A.\n"
	"Exit status: 0 guest powered off, 1 usage or host error, 2 guest reset (-no-reboot),\n"
	"3 triple fault, 4 vCPU error, 128+N killed by signal N.\n";

enum option_id {
	OPT_KERNEL = 1000,
	OPT_INITRD,
	OPT_APPEND,
	OPT_MEM,
	OPT_SMP,
	OPT_NAME,
	OPT_DRIVE,
	OPT_HDA,
	OPT_SERIAL,
	OPT_NOGRAPHIC,
	OPT_ENABLE_KVM,
	OPT_ACCEL,
	OPT_NO_REBOOT,
	OPT_PIDFILE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "m", required_argument, NULL, OPT_MEM },
	{ "memory", required_argument, NULL, OPT_MEM },
	{ "smp", required_argument, NULL, OPT_SMP },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "drive", required_argument, NULL, OPT_DRIVE },
	{ "hda", required_argument, NULL, OPT_HDA },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "nographic", no_argument, NULL, OPT_NOGRAPHIC },
	{ "enable-kvm", no_argument, NULL, OPT_ENABLE_KVM },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "h", no_argument, NULL, OPT_HELP },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int parse_memory(struct config *cfg, const char *arg)
{
	u64 n, unit = MIB;
	const char *end;
	const char *s = strncmp(arg, "size=", 5) ? arg : arg + 5;

	if (!config_number(s, &n, &end))
		goto bad;
	if (*end) {
		switch (toupper((unsigned char)*end)) {
		case 'M':
			break;
		case 'G':
			unit = GIB;
			break;
		default:
			goto bad;
		}
		if (end[1])
			goto bad;
	}
	if (n > UINT64_MAX / unit)
		goto bad;
	if (n * unit < RAM_MIN)
		return report("-m %s: too little memory; at least %llu MiB are needed", arg,
			      RAM_MIN / MIB);
	if (n * unit > 1024 * 1024 * GIB / 16)
		return report("-m %s: too much memory; at most 64 TiB", arg);
	cfg->mem_size = n * unit;
	return 0;
bad:
	return report("-m %s: not a memory size; give MiB, or a number with M or G, e.g. 512 or 2G",
		      arg);
}

static int parse_smp(struct config *cfg, const char *arg)
{
	const char *s = strncmp(arg, "cpus=", 5) ? arg : arg + 5;
	const char *end;
	u64 n;

	if (!config_number(s, &n, &end) || *end || n < 1 || n > MAX_VCPUS)
		return report("-smp %s: give a number of CPUs from 1 to %d", arg, MAX_VCPUS);
	cfg->nr_vcpus = (unsigned int)n;
	return 0;
}

static int parse_name(struct config *cfg, const char *arg)
{
	const char *s = strncmp(arg, "guest=", 6) ? arg : arg + 6;
	size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	if (!len || s[len] || len > 64 || *s == '.' || *s == '-')
		return report("-name %s: use 1 to 64 letters, digits, '_', '.' or '-' (not first)",
			      arg);
	return config_set_string(&cfg->name, s);
}

static int parse_accel(struct config *cfg, const char *arg)
{
	if (strcmp(arg, "minikvm") && strcmp(arg, "kvm") && !strchr(arg, '/'))
		return report("-accel %s: unknown; use minikvm, kvm or the path of a device", arg);
	return config_set_string(&cfg->accel, arg);
}

static int apply_option(struct config *cfg, int id, const char *arg)
{
	switch (id) {
	case OPT_KERNEL:
		return config_set_string(&cfg->kernel, arg);
	case OPT_INITRD:
		return config_set_string(&cfg->initrd, arg);
	case OPT_APPEND:
		return config_set_string(&cfg->append, arg);
	case OPT_MEM:
		return parse_memory(cfg, arg);
	case OPT_SMP:
		return parse_smp(cfg, arg);
	case OPT_NAME:
		return parse_name(cfg, arg);
	case OPT_DRIVE:
		return config_parse_drive(cfg, arg);
	case OPT_HDA:
		return config_parse_hda(cfg, arg);
	case OPT_SERIAL:
		return config_parse_serial(cfg, arg);
	case OPT_ACCEL:
		return parse_accel(cfg, arg);
	case OPT_PIDFILE:
		return config_set_string(&cfg->pidfile, arg);
	case OPT_NO_REBOOT:
		cfg->no_reboot = true;
		return 0;
	case OPT_NOGRAPHIC:
	case OPT_ENABLE_KVM:
		return 0;
	default:
		return report("option %d is not handled", id);
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
	return config_set_string(&cfg->name, "mkvm") || config_set_string(&cfg->accel, "minikvm") ||
	       config_set_string(&cfg->append, "");
}

static int finish(struct config *cfg)
{
	if (!cfg->kernel)
		return report("no kernel; give one with -kernel FILE (see 'mkvm run -help')");
	if (!cfg->nr_serials)
		cfg->serial[cfg->nr_serials++].kind = SERIAL_STDIO;
	return 0;
}

enum config_result config_parse(struct config *cfg, int argc, char **argv)
{
	int id, index;

	if (set_defaults(cfg))
		return CONFIG_ERROR;
	opterr = 0;
	optind = 1;
	for (;;) {
		const char *token = optind < argc ? argv[optind] : NULL;

		index = -1;
		id = getopt_long_only(argc, argv, "+:", options, &index);
		if (id == -1)
			break;
		if (id == ':') {
			report("option '%s' needs a value (see 'mkvm run -help')", token);
			return CONFIG_ERROR;
		}
		if (id == '?' || index < 0 || !is_exact(token, options[index].name)) {
			report("option '%s' is not supported (see 'mkvm run -help')", token);
			return CONFIG_ERROR;
		}
		if (id == OPT_HELP) {
			fputs(help_text, stdout);
			return CONFIG_DONE;
		}
		if (id == OPT_VERSION) {
			puts("mkvm " MKVM_VERSION);
			return CONFIG_DONE;
		}
		if (apply_option(cfg, id, optarg))
			return CONFIG_ERROR;
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
	free(cfg->kernel);
	free(cfg->initrd);
	free(cfg->append);
	free(cfg->accel);
	free(cfg->pidfile);
	for (i = 0; i < MAX_SERIALS; i++)
		free(cfg->serial[i].path);
	for (i = 0; i < MAX_DRIVES; i++)
		free(cfg->drive[i].path);
	memset(cfg, 0, sizeof(*cfg));
}
