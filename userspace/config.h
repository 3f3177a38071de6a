/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the user asked `mkvm run` to do, as one structure.
 */
#ifndef MKVM_CONFIG_H
#define MKVM_CONFIG_H

#include "layout.h"
#include "net/net_config.h"
#include "types.h"

/* What a stream of bytes ends in. */
enum chardev_kind {
	CHARDEV_NONE,	/* the port does not exist */
	CHARDEV_STDIO,
	CHARDEV_FILE,
	CHARDEV_NULL,	/* the port exists, output is dropped */
	CHARDEV_PTY,
	CHARDEV_UNIX,	/* listening socket */
	CHARDEV_TCP,
};

/**
 * struct chardev_config - one end of a serial port or console
 * @kind: which
 * @path: CHARDEV_FILE and CHARDEV_UNIX
 * @id: `-chardev ID`, or of `-serial chardev:ID`; else NULL
 * @append: CHARDEV_FILE: keep what is there
 * @port: CHARDEV_TCP: on the loopback interface
 * @ipv6: CHARDEV_TCP: on ::1 instead of 127.0.0.1
 * @server: socket: listen
 * @no_wait: socket: do not wait for a client before the guest starts
 * @taken: a `-chardev` that something is connected to
 */
struct chardev_config {
	enum chardev_kind kind;
	char *path;
	char *id;
	bool append;
	u16 port;
	bool ipv6;
	bool server;
	bool no_wait;
	bool taken;
};

/* What becomes of a request whose image gives an error, as QEMU's werror= and rerror=. */
enum drive_error {
	DRIVE_ERROR_REPORT,	/* the guest gets an error */
	DRIVE_ERROR_ENOSPC,	/* likewise, but without space on the host as DRIVE_ERROR_STOP */
	DRIVE_ERROR_STOP,	/* the guest is paused, the request is done again when it goes on */
	DRIVE_ERROR_IGNORE,	/* the guest is told that all is well */
};

enum drive_aio {
	DRIVE_AIO_ANY,		/* io_uring if the host has it */
	DRIVE_AIO_RING,
	DRIVE_AIO_THREADS,
};

/**
 * struct disk_config - what the guest sees of a drive: keys of `-device virtio-blk-pci`
 * @serial: identifier the guest can read, up to 20 bytes; NULL: one of ours
 * @nr_queues: request queues; 0: one per vCPU, four at most
 * @queue_size: entries of each, a power of two
 * @logical_block: bytes; the guest transfers multiples of it
 * @physical_block: bytes; at least @logical_block
 * @min_io: bytes that are good to transfer at least; 0: not known; likewise @opt_io
 * @opt_io: best transfer size
 * @discard: the guest may give space back
 * @write_zeroes: the guest may have ranges zeroed without sending zeroes
 * @write_cache: the guest starts with a cache that has to be flushed
 * @config_wce: the guest may switch that
 */
struct disk_config {
	char *serial;
	unsigned int nr_queues;
	unsigned int queue_size;
	unsigned int logical_block;
	unsigned int physical_block;
	unsigned int min_io;
	unsigned int opt_io;
	bool discard;
	bool write_zeroes;
	bool write_cache;
	bool config_wce;
};

/**
 * struct drive_config - one `-drive`
 * @path: the image
 * @format: its format; NULL: find out
 * @id: NULL, or the name for `-device`
 * @readonly: no writes
 * @direct: past the host's page cache
 * @unsafe: the guest's flushes are ignored
 * @snapshot: writes go to a temporary file
 * @aio: who does the transfers
 * @werror: on errors of writes
 * @rerror: on errors of reads
 * @on_device: if=none: a `-device` makes the disk; else one is made anyway
 * @used: a `-device` has named it
 * @disk: the disk
 */
struct drive_config {
	char *path;
	char *format;
	char *id;
	bool readonly;
	bool direct;
	bool unsafe;
	bool snapshot;
	enum drive_aio aio;
	enum drive_error werror;
	enum drive_error rerror;
	bool on_device;
	bool used;
	struct disk_config disk;
};

/** drive_config_free() - free its strings */
void drive_config_free(struct drive_config *d);

struct device_model;

/**
 * struct device_config - one `-device`; see config_device.h
 * @model: the row of the table
 * @id: or NULL
 * @key: the model's own keys, as given
 * @nr_keys: entries of @key
 * @port: virtio-serial-pci: index in config.chardev of what is plugged in, plus 1; 0: nothing
 */
struct device_config {
	const struct device_model *model;
	char *id;
	struct device_key {
		char *key;
		char *value;
	} *key;
	unsigned int nr_keys;
	unsigned int port;
};

/**
 * struct config - parsed and checked options; owns its strings
 * @name: the guest's name
 * @name_given: it is the user's; otherwise it is made from the process id
 * @process: name of the process, or NULL
 * @daemonize: run in the background
 * @log: messages go to this file once the machine runs, or NULL
 * @start_paused: wait for `cont`
 * @qmp: path of a second control socket, or NULL
 * @kernel: path
 * @initrd: path or NULL
 * @append: kernel command line, "" if none
 * @mem_size: bytes
 * @nr_vcpus: 1 to MAX_VCPUS
 * @nr_cores: cores of a package, and
 * @nr_threads: threads of a core; @nr_vcpus is a multiple of their product
 * @mem_path: directory guest RAM comes from, or NULL
 * @mem_prealloc: have the host give all of it at the start
 * @mem_lock: keep guest RAM, and mkvm itself as it is when the machine is built, in memory
 * @rtc_localtime: the clock shows the host's local time instead of UTC
 * @accel: "minikvm", "kvm" or a path with a slash
 * @nodefaults: only the devices that are asked for
 * @no_reboot: end when the guest resets
 * @pidfile: path or NULL
 * @user: become this user before the guest runs, or NULL; @uid and @gid are its numbers
 * @uid: see @user
 * @gid: see @user
 * @chroot: make this the root directory before the guest runs, or NULL
 * @dry_run: print the machine instead of running it
 * @dry_run_json: as JSON
 * @sandbox_off: no system call filters
 * @serial: COM1 and COM2
 * @nr_serials: entries of @serial
 * @chardev: `-chardev`, without those of serial ports
 * @nr_chardevs: entries of @chardev
 * @drive: disks in order
 * @nr_drives: entries of @drive
 * @snapshot: as if every drive had snapshot=on
 * @device: `-device`, in order
 * @nr_devices: entries of @device
 * @net: networks and the devices on them
 */
struct config {
	char *name;
	bool name_given;
	char *process;
	bool daemonize;
	char *log;
	bool start_paused;
	char *qmp;
	char *kernel;
	char *initrd;
	char *append;
	u64 mem_size;
	unsigned int nr_vcpus;
	unsigned int nr_cores;
	unsigned int nr_threads;
	char *mem_path;
	bool mem_prealloc;
	bool mem_lock;
	bool rtc_localtime;
	char *accel;
	bool nodefaults;
	bool no_reboot;
	char *pidfile;
	char *user;
	u32 uid;
	u32 gid;
	char *chroot;
	bool dry_run;
	bool dry_run_json;
	bool sandbox_off;
	struct chardev_config serial[MAX_SERIALS];
	unsigned int nr_serials;
	struct chardev_config chardev[MAX_CHARDEVS];
	unsigned int nr_chardevs;
	struct drive_config drive[MAX_DRIVES];
	unsigned int nr_drives;
	bool snapshot;
	struct device_config device[MAX_DEVICES];
	unsigned int nr_devices;
	struct net_config net;
};

enum config_result {
	CONFIG_OK,
	CONFIG_DONE,	/* help was printed: end with status 0 */
	CONFIG_ERROR,	/* reported */
};

/**
 * config_parse() - read the options of `mkvm run`
 * @cfg: filled in; config_free() is due whatever the result
 * @argc: count, with argv[0] = "run"
 * @argv: options
 */
enum config_result config_parse(struct config *cfg, int argc, char **argv);

/** config_print_options() - a line on stdout for each option that is not refused: its name, and
 *	"value" or "flag" */
void config_print_options(void);

/** config_default_name() - name the machine after this process, if -name was not given */
int config_default_name(struct config *cfg);

/** config_free() - free the strings; harmless after a failed config_parse() */
void config_free(struct config *cfg);

#endif
