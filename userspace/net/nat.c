// SPDX-License-Identifier: GPL-2.0
/*
 * NAT networks of the host. The file that describes one is written before anything is made and
 * removed after everything is undone, so what an interrupted command left can be taken down.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_parse.h"
#include "net/link.h"
#include "net/nat.h"
#include "report.h"

#define ENDING	   ".net"
#define FORWARDING "/proc/sys/net/ipv4/ip_forward"

/* The folder, locked; -1 with errno: ESTALE if the last network went, and the folder with it. */
static int lock_folder(void)
{
	struct stat held, named;
	int fd, err;

	if ((mkdir("/run/mkvm", 0755) && errno != EEXIST) ||
	    (mkdir(NAT_DIR, 0755) && errno != EEXIST))
		return -1;
	fd = open(NAT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			errno = ESTALE;
		return -1;
	}
	if (flock(fd, LOCK_EX) || fstat(fd, &held))
		err = errno;
	else if (stat(NAT_DIR, &named) || named.st_ino != held.st_ino)
		err = ESTALE;
	else
		return fd;
	close(fd);
	errno = err;
	return -1;
}

int nat_lock(void)
{
	int fd;

	do {
		fd = lock_folder();
	} while (fd < 0 && errno == ESTALE);
	return fd >= 0 ? fd : report("cannot lock " NAT_DIR ": %s", strerror(errno));
}

void nat_unlock(int fd)
{
	/* Fails as long as there is something in it. */
	(void)rmdir(NAT_DIR);
	close(fd);
}

static int save(const struct nat *nat)
{
	char path[64], address[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
	bool ok;
	FILE *f;

	nat_path(path, nat->name, ENDING);
	inet_ntop(AF_INET, &nat->net, address, sizeof(address));
	inet_ntop(AF_INET, &nat->mask, mask, sizeof(mask));
	f = fopen(path, "we");
	if (!f)
		return report("network %s: cannot write %s: %s", nat->name, path, strerror(errno));
	ok = fprintf(f, "%s/%s forwarding=%d dhcp=%d\n", address, mask, nat->forwarding,
		     nat->dhcp) > 0;
	if (fclose(f) || !ok)
		return report("network %s: cannot write %s", nat->name, path);
	return 0;
}

int nat_load(struct nat *nat, const char *name)
{
	char path[64], subnet[48];
	int forwarding, dhcp, n;
	FILE *f;

	memset(nat, 0, sizeof(*nat));
	if (!config_interface_valid(name))
		return -EINVAL;
	strcpy(nat->name, name);
	nat_path(path, name, ENDING);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fscanf(f, "%47s forwarding=%d dhcp=%d", subnet, &forwarding, &dhcp);
	fclose(f);
	if (n != 3 || !config_subnet(subnet, &nat->net, &nat->mask))
		return -EPROTO;
	nat->forwarding = forwarding;
	nat->dhcp = dhcp;
	return 0;
}

void nat_each(bool (*fn)(void *opaque, const struct nat *nat), void *opaque)
{
	DIR *dir = opendir(NAT_DIR);
	struct dirent *d;
	struct nat nat;

	while (dir && (d = readdir(dir))) {
		char *dot = strrchr(d->d_name, '.');

		if (!dot || strcmp(dot, ENDING))
			continue;
		*dot = '\0';
		if (!nat_load(&nat, d->d_name) && !fn(opaque, &nat))
			break;
	}
	if (dir)
		closedir(dir);
}

/* 0 or 1, or -1. */
static int get_forwarding(void)
{
	int fd = open(FORWARDING, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0)
		return -1;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c == '0' || c == '1' ? c - '0' : -1;
}

static int set_forwarding(bool on)
{
	int fd = open(FORWARDING, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok ? 0 : report("cannot write " FORWARDING ": %s", strerror(errno));
}

static int make_bridge(const struct nat *nat)
{
	struct in_addr host = { htonl(ntohl(nat->net.s_addr) + 1) };
	u8 mac[6];
	int err = link_add_bridge(nat->name);

	/* Its own address, set once more, stays whatever ports come and go. */
	if (!err)
		err = link_get_mac(nat->name, mac);
	if (!err)
		err = link_set_mac(nat->name, mac);
	if (!err)
		err = link_set_address(nat->name, host, nat->mask);
	if (!err)
		err = link_set_up(nat->name, true);
	if (err == -EPERM)
		return report("network %s: needs root, or CAP_NET_ADMIN", nat->name);
	return err ? report("network %s: cannot make the bridge: %s", nat->name, strerror(-err)) :
		     0;
}

/* @rules: set once there are rules to take back; nft adds all or none. */
static int make(struct nat *nat, bool *rules)
{
	if (make_bridge(nat))
		return -1;
	if (nat->forwarding && set_forwarding(true))
		return -1;
	if (nat_masquerade(nat, true))
		return -1;
	*rules = true;
	return nat->dhcp ? nat_dhcp_start(nat) : 0;
}

/* Another network needs forwarding, too: it is the one to switch it off. */
static bool inherit_forwarding(void *opaque, const struct nat *nat)
{
	const struct nat *gone = opaque;
	struct nat heir = *nat;

	if (!strcmp(nat->name, gone->name))
		return true;
	heir.forwarding = true;
	return save(&heir) != 0;
}

static bool is_other(void *opaque, const struct nat *nat)
{
	struct nat *found = opaque;

	if (!strcmp(nat->name, found->name))
		return true;
	found->name[0] = '\0';
	return false;
}

static int drop_forwarding(struct nat *nat)
{
	struct nat probe = *nat;

	if (!nat->forwarding)
		return 0;
	nat_each(is_other, &probe);
	if (probe.name[0])
		return set_forwarding(false);
	nat_each(inherit_forwarding, nat);
	return 0;
}

/* Whatever of it there is. */
static int undo(struct nat *nat, bool rules)
{
	char path[64];
	int ret = nat_dhcp_stop(nat), err;

	if (rules && nat_masquerade(nat, false))
		ret = -1;
	if (link_is_bridge(nat->name)) {
		err = link_set_up(nat->name, false);
		if (!err)
			err = link_delete_bridge(nat->name);
		if (err)
			ret = report("network %s: cannot remove the bridge: %s", nat->name,
				     strerror(-err));
	}
	if (drop_forwarding(nat))
		ret = -1;
	if (ret)
		return -1;
	nat_path(path, nat->name, ENDING);
	return unlink(path) ? report("cannot remove %s: %s", path, strerror(errno)) : 0;
}

int nat_up(struct nat *nat)
{
	char user[IFNAMSIZ];
	struct nat old;
	bool rules = false;

	if (nat_load(&old, nat->name) != -ENOENT)
		return report("network %s is up already", nat->name);
	if (link_exists(nat->name))
		return report("network %s: there is an interface of this name", nat->name);
	if (link_has_address_in(nat->net, nat->mask, user))
		return report(
			"network %s: the subnet is in use by %s; choose another with --subnet",
			nat->name, user);
	nat->forwarding = get_forwarding() == 0;
	if (save(nat))
		return -1;
	if (!make(nat, &rules))
		return 0;
	(void)undo(nat, rules);
	return -1;
}

int nat_down(struct nat *nat)
{
	/* Without nft there are no rules; up would have failed. */
	return undo(nat, nat_tool_exists("nft"));
}
