/* SPDX-License-Identifier: MIT */
/*
 * Lock rank checks (-Ddebug_locks=true): each mistake ends the program, and the message
 * names both places.
 *
 * Check sees the signal; what was printed is looked at in a child of our own. What
 * takes too long is only reported, and that is read while it does.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "fixture.h"
#include "lock_rank.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"

static struct fixture fx;
static struct wait_class waits = {.unfairness = CL_PAGE_LOCK_UNFAIRNESS};
static struct cl_mutex outer, inner;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(16));
	cl_mutex_init(&outer, CL_RANK_GATE, "outer");
	cl_mutex_init(&inner, CL_RANK_ARENA, "inner");
}

static void teardown(void)
{
	cl_mutex_destroy(&outer);
	cl_mutex_destroy(&inner);
	fixture_close(&fx);
}

/* ------------------------------------------------------------------- right uses */

START_TEST(locks_taken_in_order_are_fine)
{
	cl_mutex_lock(&outer);
	cl_mutex_assert_held(&outer);
	cl_mutex_lock(&inner);
	cl_mutex_unlock(&inner);
	cl_mutex_unlock(&outer);
	cl_rank_assert_not_held(CL_RANK_GATE);
}
END_TEST

START_TEST(locks_may_be_released_in_any_order)
{
	cl_mutex_lock(&outer);
	cl_mutex_lock(&inner);
	cl_mutex_unlock(&outer);
	cl_mutex_assert_held(&inner);
	cl_mutex_unlock(&inner);
	cl_mutex_lock(&outer);
	cl_mutex_unlock(&outer);
}
END_TEST

static struct cl_page *new_page(uint64_t index)
{
	struct cl_page *page = arena_alloc(&fx.cache->arena, fx.mapping, index);

	page_unlock(page);
	return page;
}

START_TEST(pages_are_locked_in_ascending_order)
{
	struct cl_page *low = new_page(1), *high = new_page(2);

	page_lock(low, &waits);
	page_lock(high, &waits);
	page_unlock(low);
	page_unlock(high);
	arena_unpin(&fx.cache->arena, low);
	arena_unpin(&fx.cache->arena, high);
}
END_TEST

START_TEST(a_trylock_against_the_order_is_fine)
{
	struct cl_page *low = new_page(1), *high = new_page(2);

	page_lock(high, &waits);
	ck_assert(page_trylock(low));
	page_unlock(low);
	page_unlock(high);
	arena_unpin(&fx.cache->arena, low);
	arena_unpin(&fx.cache->arena, high);
}
END_TEST

/* -------------------------------------------------------------------- mistakes */

static void invert_ranks(void)
{
	cl_mutex_lock(&inner);
	cl_mutex_lock(&outer);
}

static void lock_twice(void)
{
	cl_mutex_lock(&outer);
	cl_mutex_lock(&outer);
}

static void lock_a_page_twice(void)
{
	struct cl_page *page = new_page(1);

	page_lock(page, &waits);
	page_lock(page, &waits);
}

static void lock_pages_descending(void)
{
	struct cl_page *low = new_page(1), *high = new_page(2);

	page_lock(high, &waits);
	page_lock(low, &waits);
}

static void lock_a_page_under_the_table(void)
{
	struct cl_page *page = new_page(1);

	cl_mutex_lock(&fx.mapping->table.lock);
	page_lock(page, &waits);
}

static void release_what_is_not_held(void)
{
	cl_mutex_unlock(&outer);
}

static void assert_what_is_not_held(void)
{
	cl_mutex_assert_held(&outer);
}

static void assert_an_unlocked_page(void)
{
	page_assert_locked(new_page(1));
}

static void enter_the_gate_with_a_page_locked(void)
{
	struct cl_gate_entry entry = {.range = page_range(0, 1), .kind = CL_GATE_FILL};

	page_lock(new_page(1), &waits);
	cl_gate_try_enter(fx.mapping, &entry);
}

static void remove_an_unlocked_page(void)
{
	fixture_touch(&fx, page_range(3, 4));
	page_cache_remove(page_table_lookup(&fx.mapping->table, 3));
}

static void read_outside_the_gate(void)
{
	(void)cl_read_begin(fx.mapping, 0, 1, &fx.read);
}

static void write_with_an_entry_for_reading(void)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, whole_file);
	(void)cl_write(fx.mapping, "x", 1, 0);
}

static void write_past_the_entry(void)
{
	struct cl_gate_entry entry;
	static const char bytes[CL_PAGE_SIZE];

	gated_enter(fx.mapping, &entry, CL_GATE_WRITE, page_range(0, 1));
	(void)cl_write(fx.mapping, bytes, sizeof(bytes), 1);
}

static void set_the_size_beside_writers(void)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_WRITE, whole_file);
	cl_mapping_set_size(fx.mapping, 0);
}

static void invalidate_beside_fills(void)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, whole_file);
	(void)cl_invalidate(fx.mapping, whole_file);
}

static void take_a_page_of_a_lower_mapping(void)
{
	struct cl_mapping *other;
	struct cl_page *low, *high;

	ck_assert_int_eq(
		cl_mapping_create(fx.cache, &fake_store_ops, fx.store, 0, &other), 0);
	low = arena_alloc(&fx.cache->arena, other < fx.mapping ? other : fx.mapping, 9);
	page_unlock(low);
	high = arena_alloc(&fx.cache->arena, other < fx.mapping ? fx.mapping : other,
			   1);
	page_unlock(high);
	page_lock(low, &waits);
	page_lock(high, &waits); /* mappings by address, whatever the index */
	page_unlock(low);
	page_lock(low, &waits);
}

static void wait_for_one_s_own_fill(void)
{
	page_wait_filling(arena_alloc(&fx.cache->arena, fx.mapping, 0), &waits);
}

struct mistake {
	const char *name;
	void (*make)(void);
	const char *message; /* a part of what is said */
	int sites;	     /* how many places in this file are named */
};

static const struct mistake mistakes[] = {
	{"a rank inversion", invert_ranks, "lock order inversion: outer", 2},
	{"a self-deadlock", lock_twice, "self-deadlock: outer", 2},
	{"a self-deadlock on a page", lock_a_page_twice, "self-deadlock: page", 2},
	{"pages in descending order", lock_pages_descending,
	 "lock order inversion: page", 2},
	{"pages of two mappings in the wrong order", take_a_page_of_a_lower_mapping,
	 "lock order inversion: page", 2},
	{"waiting for one's own fill", wait_for_one_s_own_fill, "is still held", 0},
	{"a page lock under the table's", lock_a_page_under_the_table,
	 "lock order inversion: page", 2},
	{"a release of what is not held", release_what_is_not_held, "but not held", 1},
	{"a false claim to hold", assert_what_is_not_held, "outer", 1},
	{"a false claim to hold a page", assert_an_unlocked_page, "page", 1},
	{"the gate entered with a page locked", enter_the_gate_with_a_page_locked,
	 "is still held", 1},
	{"a removal without the page lock", remove_an_unlocked_page, "must be held", 0},
	{"a read outside the gate", read_outside_the_gate, "needs a gate entry", 0},
	{"a write in a reader's entry", write_with_an_entry_for_reading,
	 "needs a gate entry", 0},
	{"a write past its entry", write_past_the_entry, "needs a gate entry", 0},
	{"a size set beside writers", set_the_size_beside_writers, "needs a gate entry",
	 0},
	{"an invalidation beside fills", invalidate_beside_fills, "needs a gate entry",
	 0},
};

#define MISTAKES (int)(sizeof(mistakes) / sizeof(mistakes[0]))

/* What the mistake says before it dies of SIGABRT. */
static void hear(const struct mistake *mistake, char *said, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;

	ck_assert_int_eq(pipe(fds), 0);

	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		mistake->make();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		      "%s went unnoticed (status %#x, said: %s)", mistake->name,
		      (unsigned)status, said);
}

/* Different places of this file in a message. */
static int sites_in(const char *said)
{
	const char *first = strstr(said, "lock_debug.c:");
	const char *second = first ? strstr(first + 1, "lock_debug.c:") : NULL;

	if (!second)
		return first ? 1 : 0;
	return atoi(strchr(first, ':') + 1) != atoi(strchr(second, ':') + 1) ? 2 : 1;
}

START_TEST(a_mistake_is_named_with_the_places_it_was_made_at)
{
	const struct mistake *mistake = &mistakes[_i];
	char said[4096];

	hear(mistake, said, sizeof(said));
	ck_assert_msg(strstr(said, mistake->message), "%s: said \"%s\", not \"%s\"",
		      mistake->name, said, mistake->message);
	ck_assert_msg(sites_in(said) >= mistake->sites, "%s: %d places in \"%s\"",
		      mistake->name, sites_in(said), said);
}
END_TEST

/* ------------------------------------------------------------ what takes too long */

/* stderr goes to the pipe until the text has come, which is waited for. */
static FILE *listening;
static int real_stderr;

static void listen_to_stderr(void)
{
	int fds[2];

	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	listening = fdopen(fds[0], "r");
	ck_assert_ptr_nonnull(listening);
}

static void hear_of(char *line, int size)
{
	ck_assert_ptr_nonnull(fgets(line, size, listening));
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(listening);
}

static void wait_for_the_page(struct member *member)
{
	struct cl_page *page = member->arg;

	page_lock(page, &waits);
	page_unlock(page);
}

START_TEST(who_waits_too_long_learns_who_has_the_lock_since_where)
{
	struct cl_page *page = new_page(5);
	struct team team;
	char line[1024], owner[64];

	snprintf(owner, sizeof(owner), "thread %d has it", (int)getpid());
	page_lock_debug_patience_ms = 30;
	listen_to_stderr();
	page_lock(page, &waits);
	const int locked_at = __LINE__ - 1;

	team_start(&team, 1, wait_for_the_page, page);
	hear_of(line, sizeof(line));
	ck_assert_msg(strstr(line, "wanted at") && strstr(line, owner) &&
			      strstr(line, ":5)"),
		      "%s", line);
	ck_assert_msg(sites_in(line) == 2, "%s", line);
	ck_assert_int_eq(atoi(strstr(strstr(line, "taken at"), "lock_debug.c:") + 13),
			 locked_at);
	page_lock_debug_patience_ms = 1000000;
	page_unlock(page);
	team_join(&team);
	arena_unpin(&fx.cache->arena, page);
}
END_TEST

START_TEST(a_lock_held_too_long_is_reported_with_both_places)
{
	struct cl_page *page = new_page(5);
	char line[1024];

	page_lock_debug_patience_ms = 0;
	listen_to_stderr();
	page_lock(page, &waits);
	page_unlock(page);
	hear_of(line, sizeof(line));
	ck_assert_msg(strstr(line, "held too long") && sites_in(line) == 2, "%s", line);
	page_lock_debug_patience_ms = 1000000;
	arena_unpin(&fx.cache->arena, page);
}
END_TEST

START_TEST(a_rank_inversion_aborts)
{
	invert_ranks();
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("lock_debug", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, locks_taken_in_order_are_fine);
	tcase_add_test(tc, locks_may_be_released_in_any_order);
	tcase_add_test(tc, pages_are_locked_in_ascending_order);
	tcase_add_test(tc, a_trylock_against_the_order_is_fine);
	tcase_add_loop_test(tc, a_mistake_is_named_with_the_places_it_was_made_at, 0,
			    MISTAKES);
	tcase_add_test(tc, who_waits_too_long_learns_who_has_the_lock_since_where);
	tcase_add_test(tc, a_lock_held_too_long_is_reported_with_both_places);
	tcase_add_test_raise_signal(tc, a_rank_inversion_aborts, SIGABRT);
	return suite_run(suite);
}
