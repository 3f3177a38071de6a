/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns what the tests of the reading interface share: one VMCS as it was read, a thread
 * that stays in RUN, and the descriptors of another process's VM.
 */
#ifndef SELFTESTS_INSPECT_H
#define SELFTESTS_INSPECT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "api.h"
#include "minikvm_inspect.h"
#include "minikvm_vmcs.h"

#define PTR(p)	((uint64_t)(uintptr_t)(p))

struct vmcs {
	struct minikvm_inspect_vmcs head;
	struct minikvm_inspect_field field[MINIKVM_VMCS_NR_FIELDS];
};

/* A thread that calls RUN until it is told to end, or once. */
struct runner {
	struct vcpu *vcpu;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint runs;	/* RUN returned that often */
	bool once;
};

int vmcs_read(int fd, uint32_t wait_ms, struct vmcs *v);
const struct minikvm_inspect_field *vmcs_field(const struct vmcs *v, uint32_t encoding);
uint64_t vmcs_value(const struct vmcs *v, uint32_t encoding);
void runner_start(struct runner *r, struct vcpu *vcpu, bool once);
void runner_stop(struct runner *r);
uint32_t read_mp_state(int fd);
void wait_mp_state(int fd, uint32_t state, const char *what);
int steal_fd(pid_t pid, const char *name);

#endif
