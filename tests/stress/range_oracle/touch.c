/* SPDX-License-Identifier: MIT */

/*
 * The words belong to a file that the compiler knows nothing of, hence the __atomic
 * built-ins on plain integers. A SIGBUS on any other occasion kills, as it should.
 */

#include "touch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static _Thread_local sigjmp_buf on_sigbus;
static _Thread_local volatile sig_atomic_t armed;

/* The fences are for the compiler: the access stays between the two. */
static void arm(void)
{
	armed = 1;
	atomic_signal_fence(memory_order_seq_cst);
}

static void disarm(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	armed = 0;
}

static void handle_sigbus(int signal_number)
{
	if (armed) {
		armed = 0;
		siglongjmp(on_sigbus, 1);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

void touch_catch_sigbus(void)
{
	/* SA_NODEFER: the handler is left by a jump that restores no signal mask. */
	struct sigaction action = {.sa_handler = handle_sigbus, .sa_flags = SA_NODEFER};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

bool touch_load(const uint64_t *word, uint64_t *ret_value)
{
	uint64_t value;

	if (sigsetjmp(on_sigbus, 0) != 0)
		return false;
	arm();
	value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	disarm();
	*ret_value = value;
	return true;
}

bool touch_store(uint64_t *word, uint64_t value)
{
	if (sigsetjmp(on_sigbus, 0) != 0)
		return false;
	arm();
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	disarm();
	return true;
}

bool touch_add(uint64_t *word, uint64_t *ret_old)
{
	uint64_t old;

	if (sigsetjmp(on_sigbus, 0) != 0)
		return false;
	arm();
	old = __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	disarm();
	*ret_old = old;
	return true;
}

bool touch_swap(uint64_t *word, uint64_t expected, uint64_t desired,
		uint64_t *ret_found)
{
	if (sigsetjmp(on_sigbus, 0) != 0)
		return false;
	arm();
	__atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	disarm();
	*ret_found = expected;
	return true;
}
