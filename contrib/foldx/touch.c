/* SPDX-License-Identifier: MIT */
/*
 * Touching mappings.
 */

#include "touch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "operation.h"

static sigjmp_buf landing;
static volatile sig_atomic_t touching;

static void on_sigbus(int sig)
{
	if (!touching) {
		/* A bug of our own, or memory that failed. */
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	siglongjmp(landing, 1);
}

int touch_init(void)
{
	struct sigaction action = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER};

	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

size_t touch_copy(void *to, const void *from, size_t len, const void *mapping)
{
	volatile size_t done = 0;

	touching = 1;
	if (sigsetjmp(landing, 0) == 0) {
		/* Where the next page begins depends on which side is mapped. */
		const uintptr_t at = (uintptr_t)mapping;

		while (done < len) {
			size_t step = FOLDX_PAGE - (at + done) % FOLDX_PAGE;

			if (step > len - done)
				step = len - done;
			memcpy((char *)to + done, (const char *)from + done, step);
			done += step;
		}
	}
	touching = 0;
	return done;
}

bool touch_load(const void *at, uint64_t *ret_word)
{
	volatile bool ok = false;

	touching = 1;
	if (sigsetjmp(landing, 0) == 0) {
		*ret_word = *(const volatile uint64_t *)at;
		ok = true;
	}
	touching = 0;
	return ok;
}

bool touch_store(void *at, uint64_t word)
{
	volatile bool ok = false;

	touching = 1;
	if (sigsetjmp(landing, 0) == 0) {
		*(volatile uint64_t *)at = word;
		ok = true;
	}
	touching = 0;
	return ok;
}
