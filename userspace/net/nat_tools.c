// SPDX-License-Identifier: GPL-2.0
/*
 * What other programs do for a NAT network: nft masquerades, dnsmasq gives addresses away.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/nat.h"
#include "report.h"

/* Where system programs are; not the caller's PATH, as they are run as root. */
static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

void nat_path(char path[64], const char *name, const char *ending)
{
	snprintf(path, 64, NAT_DIR "/%s%s", name, ending);
}

static bool find_tool(const char *name, char path[64])
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, 64, "%s/%s", folders[i], name);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

bool nat_tool_exists(const char *name)
{
	char path[64];

	return find_tool(name, path);
}

/* Run a program with @input on its standard input. Its exit status, or -1. */
static int run_tool(char *const argv[], const char *input)
{
	char path[64];
	int fd[2], status;
	size_t len = strlen(input);
	pid_t pid;

	if (!find_tool(argv[0], path) || pipe(fd))
		return -1;
	/* All of it fits into a pipe: nobody has to wait for anybody. */
	if (write(fd[1], input, len) != (ssize_t)len) {
		close(fd[0]);
		close(fd[1]);
		return -1;
	}
	close(fd[1]);
	pid = fork();
	if (pid == 0) {
		dup2(fd[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execv(path, argv);
		_exit(127);
	}
	close(fd[0]);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void print_subnet(char text[32], const struct nat *nat)
{
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &nat->net, address, sizeof(address));
	snprintf(text, 32, "%s/%d", address, __builtin_popcount(nat->mask.s_addr));
}

int nat_masquerade(const struct nat *nat, bool on)
{
	static const char rules[] =
		/* Whether it exists or not, it is gone after these two. */
		"add table ip mkvm_%1$s\n"
		"delete table ip mkvm_%1$s\n";
	static const char more[] =
		"table ip mkvm_%1$s {\n"
		" chain postrouting {\n"
		"  type nat hook postrouting priority srcnat; policy accept;\n"
		"  ip saddr %2$s ip daddr 224.0.0.0/4 return\n"
		"  ip saddr %2$s ip daddr != %2$s masquerade\n"
		" }\n"
		" chain forward {\n"
		"  type filter hook forward priority filter; policy accept;\n"
		"  oifname \"%1$s\" ip daddr %2$s ct state established,related accept\n"
		"  iifname \"%1$s\" oifname \"%1$s\" accept\n"
		"  iifname \"%1$s\" ip saddr %2$s accept\n"
		"  iifname \"%1$s\" drop\n"
		"  oifname \"%1$s\" drop\n"
		" }\n"
		"}\n";
	char *const argv[] = { (char *)"nft", (char *)"-f", (char *)"-", NULL };
	char text[2048], subnet[32];
	int len;

	print_subnet(subnet, nat);
	len = snprintf(text, sizeof(text), rules, nat->name);
	if (on)
		snprintf(text + len, sizeof(text) - (size_t)len, more, nat->name, subnet);
	if (!nat_tool_exists("nft"))
		return report("network %s: nft is not installed (package nftables)", nat->name);
	return run_tool(argv, text) ? report("network %s: nft refuses the rules", nat->name) : 0;
}

int nat_dhcp_start(const struct nat *nat)
{
	struct in_addr first = { htonl(ntohl(nat->net.s_addr) + 2) };
	struct in_addr last = { htonl(ntohl(nat->net.s_addr | ~nat->mask.s_addr) - 1) };
	struct in_addr host = { htonl(ntohl(nat->net.s_addr) + 1) };
	char range[96], interface[32], listen[48], leases[96], pid[96], path[64];
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN], own[INET_ADDRSTRLEN],
		mask[INET_ADDRSTRLEN];
	char *const argv[] = {
		(char *)"dnsmasq",
		(char *)"--conf-file=",
		(char *)"--no-hosts",
		(char *)"--bind-interfaces",
		(char *)"--except-interface=lo",
		interface,
		listen,
		range,
		(char *)"--dhcp-authoritative",
		(char *)"--dhcp-no-override",
		leases,
		pid,
		NULL,
	};

	inet_ntop(AF_INET, &first, from, sizeof(from));
	inet_ntop(AF_INET, &last, to, sizeof(to));
	inet_ntop(AF_INET, &host, own, sizeof(own));
	inet_ntop(AF_INET, &nat->mask, mask, sizeof(mask));
	snprintf(interface, sizeof(interface), "--interface=%s", nat->name);
	snprintf(listen, sizeof(listen), "--listen-address=%s", own);
	snprintf(range, sizeof(range), "--dhcp-range=%s,%s,%s,12h", from, to, mask);
	nat_path(path, nat->name, ".leases");
	snprintf(leases, sizeof(leases), "--dhcp-leasefile=%s", path);
	nat_path(path, nat->name, ".pid");
	snprintf(pid, sizeof(pid), "--pid-file=%s", path);
	return run_tool(argv, "") ? report("network %s: dnsmasq does not start", nat->name) : 0;
}

/* Is @pid the dnsmasq that has our pid file on its command line? */
static bool is_ours(pid_t pid, const char *file)
{
	char path[64], text[2048];
	ssize_t len, i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return false;
	for (i = 0; i < len; i++)
		text[i] = text[i] ? text[i] : ' ';
	text[len] = '\0';
	return strstr(text, "dnsmasq") && strstr(text, file);
}

int nat_dhcp_stop(const struct nat *nat)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	char path[64], leases[64];
	long pid = 0;
	int tries;
	FILE *f;

	nat_path(leases, nat->name, ".leases");
	nat_path(path, nat->name, ".pid");
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%ld", &pid) != 1)
			pid = 0;
		fclose(f);
	}
	for (tries = 0; pid > 1 && is_ours((pid_t)pid, path); tries++) {
		if (tries == 250)
			return report("network %s: dnsmasq (%ld) does not end", nat->name, pid);
		kill((pid_t)pid, tries < 150 ? SIGTERM : SIGKILL);
		nanosleep(&moment, NULL);
	}
	unlink(path);
	unlink(leases);
	return 0;
}
