// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of life and death: descriptors closed in any order, another
 * process, a killed process, and threads that share a vCPU.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

GUEST_ASM(out_guest, 64,
	"1:	outb	%al, $0xe0\n"
	"	jmp	1b\n");

enum part { DEV_FD, VM_FD, VCPU_FD, RUN_MAP, NR_PARTS };

static struct vm *new_guest(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);

	vm_load(vm, out_guest);
	vcpu_set_mode(vm_add_vcpu(vm, 0), GUEST_LONG, GUEST_CODE);
	return vm;
}

static bool runs(struct vcpu *vcpu)
{
	return !vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_IO;
}

static void drop(struct vm *vm, enum part part)
{
	struct vcpu *vcpu = &vm->vcpu[0];

	switch (part) {
	case DEV_FD:
		close(vm->dev_fd);
		vm->dev_fd = -1;
		break;
	case VM_FD:
		close(vm->fd);
		vm->fd = -1;
		break;
	case VCPU_FD:
		close(vcpu->fd);
		vcpu->fd = -1;
		break;
	default:
		munmap(vcpu->run, vcpu->run_size);
		vcpu->run = NULL;
	}
}

/* All 24 orders; what is left must work until it is closed itself. */
static void test_close_order(void)
{
	static const char letter[] = "dvcm";
	unsigned int code, i;

	for (code = 0; code < 256; code++) {
		enum part order[NR_PARTS];
		unsigned int seen = 0;
		char name[NR_PARTS + 1] = "";
		bool good = true;
		struct vm *vm;

		for (i = 0; i < NR_PARTS; i++) {
			order[i] = code >> 2 * i & 3;
			seen |= 1u << order[i];
			name[i] = letter[order[i]];
		}
		if (seen != 15)
			continue;
		vm = new_guest();
		for (i = 0; i < NR_PARTS; i++) {
			struct vcpu *vcpu = &vm->vcpu[0];

			if (vcpu->fd >= 0 && vcpu->run)
				good = good && runs(vcpu);
			else if (vcpu->run)
				good = good && vcpu->run->exit_reason ==
					       MINIKVM_EXIT_IO;
			drop(vm, order[i]);
		}
		tap_ok(good, "close in the order %s (device, VM, vCPU, map)", name);
		vm->nr_vcpus = 0;
		vm_free(vm);
	}
}

static void test_mmap_after_close(void)
{
	struct vm *vm = new_guest();
	struct vcpu *vcpu = &vm->vcpu[0];

	drop(vm, RUN_MAP);
	drop(vm, VM_FD);
	drop(vm, DEV_FD);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (tap_ok(vcpu->run != MAP_FAILED, "a vCPU can be mapped after its VM was closed"))
		tap_ok(runs(vcpu), "and runs");
	vm_free(vm);
}

/* Runs @fn in a child; its return value is the number of failed checks. */
static int in_child(int (*fn)(struct vm *), struct vm *vm)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid)
		_exit(fn(vm));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int child_uses_fds(struct vm *vm)
{
	struct vcpu *vcpu = &vm->vcpu[0];
	struct minikvm_regs regs;
	int bad = 0, fd;

	bad += ioctl(vm->fd, MINIKVM_CHECK_EXTENSION, 0) != -1 || errno != EIO;
	bad += ioctl(vm->fd, MINIKVM_CREATE_VCPU, 1) != -1 || errno != EIO;
	bad += vm_set_region(vm, 5, 0, 0, NULL, 0) != -1 || errno != EIO;
	bad += ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs) != -1 || errno != EIO;
	bad += vcpu_run(vcpu) != -EIO;
	/* The device itself belongs to everybody. */
	fd = ioctl(vm->dev_fd, MINIKVM_CREATE_VM, 0);
	bad += fd < 0;
	return bad;
}

static void test_fork(void)
{
	struct vm *vm = new_guest();
	struct vcpu *vcpu = &vm->vcpu[0];

	tap_eq(in_child(child_uses_fds, vm), 0,
	       "a child gets EIO from VM and vCPU, and a VM of its own");
	tap_ok(runs(vcpu), "the parent's VM still runs");
	vm_free(vm);
}

/* The child is the last to hold the descriptors. */
static void test_fork_outlives(void)
{
	struct vm *vm = new_guest();
	int status, go[2];
	pid_t pid;
	char c;

	if (pipe(go))
		tap_bail("pipe: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	vm_free(vm);
	close(go[0]);
	close(go[1]);
	tap_ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status), "a child holds the descriptors longest");
}

static void *run_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	return (void *)(long)vcpu_run(vcpu);
}

static int child_spins(struct vm *vm)
{
	pthread_t thread;

	(void)vm;
	vm = vm_new(VM_IRQCHIP);
	vm_load(vm, spin_guest);
	vcpu_set_mode(vm_add_vcpu(vm, 0), GUEST_PROT, GUEST_CODE);
	if (pthread_create(&thread, NULL, run_thread, &vm->vcpu[0]))
		return 1;
	for (;;)
		pause();
}

static void test_kill(void)
{
	unsigned int i, killed = 0;
	int status;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		fflush(stdout);
		pid = fork();
		if (!pid)
			_exit(child_spins(NULL));
		usleep(20000 + 3000 * i);
		kill(pid, SIGKILL);
		killed += waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
	}
	tap_eq(killed, 10, "10 processes killed while their guest runs");
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Signals @thread until it ends, and returns its result. */
static long kick_and_join(pthread_t thread)
{
	void *result;

	while (pthread_tryjoin_np(thread, &result)) {
		pthread_kill(thread, SIGUSR1);
		usleep(5000);
	}
	return (long)result;
}

/* A second thread waits for the first, as for a lock that signals do not break. */
static void test_two_threads(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	pthread_t first, second;
	void *result;

	vm_load(vm, spin_guest);
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	pthread_create(&first, NULL, run_thread, vcpu);
	usleep(50000);
	pthread_create(&second, NULL, run_thread, vcpu);
	usleep(50000);
	pthread_kill(second, SIGUSR1);
	usleep(50000);
	tap_eq(pthread_tryjoin_np(second, &result), EBUSY,
	       "a second RUN waits, a signal does not break the wait");
	tap_eq(kick_and_join(first), -EINTR, "a signal ends the first RUN");
	tap_eq(kick_and_join(second), -EINTR, "then the second, which had started");
	vm_free(vm);
}

/* Closing the descriptor under a running vCPU leaves it running. */
static void test_close_while_running(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	pthread_t thread;

	vm_load(vm, spin_guest);
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	pthread_create(&thread, NULL, run_thread, vcpu);
	usleep(50000);
	drop(vm, VCPU_FD);
	drop(vm, VM_FD);
	drop(vm, DEV_FD);
	usleep(50000);
	tap_eq(kick_and_join(thread), -EINTR,
	       "every descriptor closed under a running vCPU");
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_INTR,
	       "its run page is still there");
	vm_free(vm);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	close(dev_open());	/* skips the program if there is no device */
	tap_plan(0);
	test_close_order();
	test_mmap_after_close();
	test_fork();
	test_fork_outlives();
	test_kill();
	test_two_threads();
	test_close_while_running();
	return tap_done();
}
