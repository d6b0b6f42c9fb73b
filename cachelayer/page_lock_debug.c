/* SPDX-License-Identifier: MIT */
/* Who holds a page lock, since when, taken where. */

#include "page_lock_debug.h"

#ifdef CL_DEBUG_LOCKS

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cond.h"

#define NS_PER_MS 1000000u

unsigned page_lock_debug_patience_ms = 1000;

static pid_t this_thread(void)
{
	static _Thread_local pid_t tid;

	if (tid == 0)
		tid = (pid_t)syscall(SYS_gettid);
	return tid;
}

static uint64_t patience_ns(void)
{
	return (uint64_t)page_lock_debug_patience_ms * NS_PER_MS;
}

static unsigned long long ms_since(uint64_t then_ns)
{
	return cl_elapsed_ns(then_ns, cl_now_ns()) / NS_PER_MS;
}

void page_lock_debug_wait(const struct cl_page *page, const char *site)
{
	cl_lock_debug_wait(page, CL_RANK_PAGE, "page", page_lock_key(page), site);
}

void page_lock_debug_acquired(struct cl_page *page, const char *site)
{
	cl_lock_debug_acquired(page, CL_RANK_PAGE, "page", page_lock_key(page), site);
	atomic_store_explicit(&page->owned_since_ns, cl_now_ns(), memory_order_relaxed);
	atomic_store_explicit(&page->owner_site, site, memory_order_relaxed);
	atomic_store_explicit(&page->owner, this_thread(), memory_order_relaxed);
}

void page_lock_debug_release(struct cl_page *page, const char *site)
{
	const uint64_t since_ns =
		atomic_load_explicit(&page->owned_since_ns, memory_order_relaxed);
	const struct cl_lock_key key = page_lock_key(page);

	cl_lock_debug_release(page, "page", site);
	atomic_store_explicit(&page->owner, 0, memory_order_relaxed);
	if (cl_elapsed_ns(since_ns, cl_now_ns()) < patience_ns())
		return;
	fprintf(stderr,
		"cachelayer: page lock %p (%llx:%llu) held too long: for %llu ms, from "
		"%s to %s\n",
		(const void *)page, (unsigned long long)key.major,
		(unsigned long long)key.minor, ms_since(since_ns),
		atomic_load_explicit(&page->owner_site, memory_order_relaxed), site);
}

/* What is said of the owner may be of two owners: nobody stops for us. */
static void report_owner(const struct cl_page *page, const char *site)
{
	const struct cl_lock_key key = page_lock_key(page);
	const pid_t owner = atomic_load_explicit(&page->owner, memory_order_relaxed);
	const char *owner_site =
		atomic_load_explicit(&page->owner_site, memory_order_relaxed);

	fprintf(stderr,
		"cachelayer: page lock %p (%llx:%llu) wanted at %s for more than %u ms; "
		"thread %d has it, taken at %s %llu ms ago\n",
		(const void *)page, (unsigned long long)key.major,
		(unsigned long long)key.minor, site, page_lock_debug_patience_ms,
		(int)owner, owner_site ? owner_site : "?",
		ms_since(atomic_load_explicit(&page->owned_since_ns,
					      memory_order_relaxed)));
}

int page_lock_debug_sleep(const struct cl_page *page, struct page_waiter *waiter,
			  uint64_t deadline_ns, const char *site)
{
	const uint64_t report_ns = cl_now_ns() + patience_ns();

	if (deadline_ns > report_ns) {
		if (page_waiter_sleep(waiter, report_ns) == 0)
			return 0;
		report_owner(page, site);
	}
	return page_waiter_sleep(waiter, deadline_ns);
}

#endif
