/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parsers of options share, and the parser of each family of options.
 */
#ifndef MKVM_CONFIG_PARSE_H
#define MKVM_CONFIG_PARSE_H

#include "config.h"

/** config_set_string() - make @field a copy of @value; 0, or -1 after a report */
int config_set_string(char **field, const char *value);

/**
 * config_number() - a decimal number of nothing but digits at the start of @s
 * @s: text
 * @value: the number
 * @end: what follows it
 *
 * Return: false if there is none, or it is too large.
 */
bool config_number(const char *s, u64 *value, const char **end);

/**
 * typedef config_key_fn - take one key of a list
 * @opaque: as passed to config_keys()
 * @arg: the whole list, for messages
 * @key: the key
 * @value: its value, commas undone; both are gone when the function returns
 *
 * Return: 0, or -1 after a report.
 */
typedef int (*config_key_fn)(void *opaque, const char *arg, const char *key, const char *value);

/**
 * config_keys() - call @fn on each of "key=value,key=value"; ",," stands for a comma in a value
 * @option: the option's name, for messages
 * @arg: the list
 * @fn: takes one
 * @opaque: its argument
 *
 * Return: 0, or -1 after a report.
 */
int config_keys(const char *option, const char *arg, config_key_fn fn, void *opaque);

/**
 * config_flag() - a value that is on or off
 * @option: the option's name, for messages
 * @arg: the whole list, likewise
 * @key: the key, likewise
 * @value: its value
 * @flag: set
 *
 * Return: 0, or -1 after a report.
 */
int config_flag(const char *option, const char *arg, const char *key, const char *value,
		bool *flag);

/* One option each: 0, or -1 after a report. */
int config_parse_drive(struct config *cfg, const char *arg);
int config_parse_hda(struct config *cfg, const char *arg);
int config_parse_serial(struct config *cfg, const char *arg);
int config_parse_chardev(struct config *cfg, const char *arg);

/** config_check_chardevs() - connect `-serial chardev:ID`, once all options were read */
int config_check_chardevs(struct config *cfg);

/**
 * config_take_chardev() - the `-chardev` with this id, for one user
 * @cfg: the options, all read
 * @user: who wants it, for messages
 * @id: its id
 *
 * Return: it, or NULL after a report.
 */
struct chardev_config *config_take_chardev(struct config *cfg, const char *user, const char *id);

/** chardev_config_free() - free its strings */
void chardev_config_free(struct chardev_config *c);

/** config_check_drives() - all options were read: has every drive a device? -1 after a report */
int config_check_drives(const struct config *cfg);

/** drive_set_serial() - what the guest reads as the disk's serial number; @what is for messages */
int drive_set_serial(struct drive_config *d, const char *what, const char *value);

/* config_net.c */
int config_parse_netdev(struct config *cfg, const char *arg);
int config_parse_nic(struct config *cfg, const char *arg);
int config_parse_net(struct config *cfg, const char *arg);

/** config_net_finish() - all options were read: is every network used? 0, or -1 after a report */
int config_net_finish(struct config *cfg);

/** config_net_free() - free the strings */
void config_net_free(struct config *cfg);

/* config_netdev.c */

/** config_interface_valid() - can a network interface have this name? */
bool config_interface_valid(const char *name);

/**
 * config_subnet() - "ADDRESS", "ADDRESS/BITS" or "ADDRESS/MASK", /8 to /28; without, /24
 * @value: text
 * @net: set to the first address
 * @mask: set
 *
 * Return: false if it is none.
 */
bool config_subnet(const char *value, struct in_addr *net, struct in_addr *mask);

/** config_netdev_defaults() - what its kind has if nothing is said */
void config_netdev_defaults(struct netdev_config *nd);

/** config_netdev_key() - a config_key_fn for a struct netdev_config */
int config_netdev_key(void *opaque, const char *arg, const char *key, const char *value);

/** config_netdev_check() - all keys were read: do they go together? 0, or -1 after a report */
int config_netdev_check(struct netdev_config *nd, const char *option);

/* config_machine.c */
int config_parse_memory(struct config *cfg, const char *arg);
int config_parse_overcommit(struct config *cfg, const char *arg);
int config_parse_smp(struct config *cfg, const char *arg);
int config_parse_cpu(struct config *cfg, const char *arg);
int config_parse_accel(struct config *cfg, const char *arg);
int config_parse_machine(struct config *cfg, const char *arg);
int config_parse_rtc(struct config *cfg, const char *arg);
int config_parse_display(struct config *cfg, const char *arg);
int config_parse_vga(struct config *cfg, const char *arg);
int config_parse_user(struct config *cfg, const char *arg);
int config_parse_dry_run(struct config *cfg, const char *arg);
int config_parse_sandbox(struct config *cfg, const char *arg);

/* config_control.c */
int config_parse_name(struct config *cfg, const char *arg);
int config_parse_qmp(struct config *cfg, const char *arg);
int config_parse_monitor(struct config *cfg, const char *arg);

#endif
