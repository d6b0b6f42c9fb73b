/* SPDX-License-Identifier: MIT */
/*
 * The invalidate gate, rule by rule. One thread is enough for nearly all of it: nobody
 * ever blocks in the gate, so whether an entry is in is there to be seen at once.
 */

#include <stdlib.h>

#include "fixture.h"

static struct fixture fx;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(64));
}

static void teardown(void)
{
	fixture_close(&fx);
}

/* An entry that knows whether, and as which of all, its callback was called. */
struct visitor {
	struct cl_gate_entry entry;
	unsigned granted; /* 0: not called */
	unsigned calls;
};

static unsigned next_granted;

static void note_granted(struct cl_gate_entry *entry)
{
	struct visitor *visitor = (struct visitor *)entry;

	visitor->granted = ++next_granted;
	visitor->calls++;
}

static bool enter(struct visitor *visitor, enum cl_gate_kind kind,
		  struct cl_range range)
{
	*visitor = (struct visitor){
		.entry = {.range = range, .kind = kind, .granted = note_granted}};
	return cl_gate_enter(fx.mapping, &visitor->entry);
}

static bool try_enter(struct visitor *visitor, enum cl_gate_kind kind,
		      struct cl_range range)
{
	*visitor = (struct visitor){.entry = {.range = range, .kind = kind}};
	return cl_gate_try_enter(fx.mapping, &visitor->entry);
}

static void leave(struct visitor *visitor)
{
	cl_gate_leave(fx.mapping, &visitor->entry);
}

START_TEST(fills_outside_a_closed_range_are_granted_at_once)
{
	struct visitor close, before, after;

	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert(enter(&before, CL_GATE_FILL, page_range(0, 4)));
	ck_assert(enter(&after, CL_GATE_FILL, page_range(8, 12)));
	leave(&before);
	leave(&after);
	leave(&close);
}
END_TEST

START_TEST(a_fill_in_a_closed_range_is_parked_and_granted_when_it_opens)
{
	struct visitor close, fill;

	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(7, 9)));
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 1);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 1);
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
	leave(&fill);
	ck_assert_uint_eq(fill.calls, 1);
}
END_TEST

START_TEST(an_entry_granted_at_once_hears_no_callback)
{
	struct visitor fill;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 1)));
	leave(&fill);
	ck_assert_uint_eq(fill.calls, 0);
}
END_TEST

START_TEST(ranges_are_those_of_whole_pages)
{
	struct visitor close, fill;

	ck_assert(enter(&close, CL_GATE_CLOSE, (struct cl_range){100, 200}));
	ck_assert(!try_enter(&fill, CL_GATE_FILL, (struct cl_range){4000, 4001}));
	ck_assert(try_enter(&fill, CL_GATE_FILL, (struct cl_range){4096, 4097}));
	leave(&fill);
	leave(&close);
}
END_TEST

START_TEST(a_range_to_the_end_of_file_covers_every_offset)
{
	struct visitor close, fill;
	const uint64_t far = (uint64_t)8 << 40;

	ck_assert(enter(&close, CL_GATE_CLOSE, (struct cl_range){4096, CL_RANGE_EOF}));
	ck_assert(!try_enter(&fill, CL_GATE_FILL, (struct cl_range){far, far + 1}));
	ck_assert(try_enter(&fill, CL_GATE_FILL, (struct cl_range){0, 4096}));
	leave(&fill);
	leave(&close);
}
END_TEST

START_TEST(close_waits_for_the_fills_in_progress)
{
	struct visitor first, second, close;

	ck_assert(enter(&first, CL_GATE_FILL, page_range(0, 2)));
	ck_assert(enter(&second, CL_GATE_FILL, page_range(1, 4)));
	ck_assert(!enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	leave(&first);
	ck_assert_uint_eq(close.calls, 0);
	leave(&second);
	ck_assert_uint_eq(close.calls, 1);
	leave(&close);
}
END_TEST

START_TEST(no_new_fill_slips_in_while_close_waits)
{
	struct visitor old, close, fill;

	ck_assert(enter(&old, CL_GATE_FILL, page_range(0, 1)));
	ck_assert(!enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(4, 5)));
	leave(&old);
	ck_assert_uint_eq(close.calls, 1);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

START_TEST(close_waits_for_no_fill_elsewhere)
{
	struct visitor fill, close;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(8, 9)));
	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	leave(&close);
	leave(&fill);
}
END_TEST

START_TEST(a_write_passes_a_closed_gate)
{
	struct visitor close, write;

	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	ck_assert(enter(&write, CL_GATE_WRITE, page_range(0, 8)));
	leave(&write);
	leave(&close);
}
END_TEST

START_TEST(a_write_passes_a_close_that_still_waits)
{
	struct visitor fill, close, write;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 8)));
	ck_assert(!enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	ck_assert(enter(&write, CL_GATE_WRITE, page_range(0, 8)));
	leave(&write);
	leave(&fill);
	leave(&close);
}
END_TEST

START_TEST(fills_and_writes_share_a_range)
{
	struct visitor fill, write, other_fill, other_write;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 8)));
	ck_assert(enter(&write, CL_GATE_WRITE, page_range(0, 8)));
	ck_assert(enter(&other_fill, CL_GATE_FILL, page_range(0, 8)));
	ck_assert(enter(&other_write, CL_GATE_WRITE, page_range(0, 8)));
	leave(&fill);
	leave(&write);
	leave(&other_fill);
	leave(&other_write);
}
END_TEST

START_TEST(exclusive_waits_for_the_fills_and_writes_of_its_range)
{
	struct visitor fill, write, exclusive;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 1)));
	ck_assert(enter(&write, CL_GATE_WRITE, page_range(7, 9)));
	ck_assert(!enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	leave(&fill);
	ck_assert_uint_eq(exclusive.calls, 0);
	leave(&write);
	ck_assert_uint_eq(exclusive.calls, 1);
	leave(&exclusive);
}
END_TEST

START_TEST(exclusive_waits_for_nothing_outside_its_range)
{
	struct visitor fill, write, other, exclusive;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 4)));
	ck_assert(enter(&write, CL_GATE_WRITE, page_range(8, 12)));
	ck_assert(enter(&other, CL_GATE_EXCLUSIVE, page_range(12, 16)));
	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(4, 8)));
	leave(&exclusive);
	leave(&other);
	leave(&write);
	leave(&fill);
}
END_TEST

START_TEST(nothing_is_let_in_beside_an_exclusive)
{
	struct visitor exclusive, fill, write, other;

	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(!try_enter(&fill, CL_GATE_FILL, page_range(0, 1)));
	ck_assert(!try_enter(&write, CL_GATE_WRITE, page_range(3, 4)));
	ck_assert(!try_enter(&other, CL_GATE_EXCLUSIVE, page_range(7, 8)));
	leave(&exclusive);
	ck_assert(try_enter(&fill, CL_GATE_FILL, page_range(0, 1)));
	leave(&fill);
}
END_TEST

START_TEST(a_new_fill_or_write_queues_behind_a_waiting_exclusive)
{
	struct visitor old, exclusive, fill, write;

	ck_assert(enter(&old, CL_GATE_WRITE, page_range(0, 1)));
	ck_assert(!enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	/* Nobody is in these pages; but if such went in, the exclusive would starve. */
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(4, 5)));
	ck_assert(!enter(&write, CL_GATE_WRITE, page_range(5, 6)));
	leave(&old);
	ck_assert_uint_eq(exclusive.calls, 1);
	ck_assert_uint_eq(fill.calls + write.calls, 0);
	leave(&exclusive);
	ck_assert_uint_eq(fill.calls, 1);
	ck_assert_uint_eq(write.calls, 1);
	leave(&fill);
	leave(&write);
}
END_TEST

START_TEST(an_exclusive_does_not_wait_for_a_parked_fill)
{
	struct visitor close, fill, exclusive;

	/* The deadlock of gate.h: the operation closes, a READ is parked, and then the
	 * operation wants its step 4. */
	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(2, 3)));
	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	leave(&exclusive);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

/* Two exclusives on the halves of its range, of which one is always in or waiting: they
 * do not keep out each other, and could go on for ever. */
START_TEST(exclusives_of_other_ranges_do_not_take_turns_before_one_who_waits)
{
	struct visitor exclusives[2], shared;
	const enum cl_gate_kind kind = _i == 0 ? CL_GATE_FILL : CL_GATE_WRITE;

	ck_assert(enter(&exclusives[0], CL_GATE_EXCLUSIVE, page_range(0, 4)));
	ck_assert(!enter(&shared, kind, page_range(2, 6)));
	ck_assert(!enter(&exclusives[1], CL_GATE_EXCLUSIVE, page_range(4, 8)));
	leave(&exclusives[0]);
	ck_assert_uint_eq(shared.calls, 1);
	ck_assert_uint_eq(exclusives[1].calls, 0);
	leave(&shared);
	ck_assert_uint_eq(exclusives[1].calls, 1);
	leave(&exclusives[1]);
}
END_TEST

/* The same with a CLOSE in the way of the FILL: now the exclusive may be the one that
 * it waits for. */
START_TEST(an_exclusive_passes_a_fill_that_a_close_and_an_exclusive_keep_out)
{
	struct visitor first, close, fill, second;

	ck_assert(enter(&first, CL_GATE_EXCLUSIVE, page_range(0, 4)));
	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(2, 6)));
	ck_assert(enter(&second, CL_GATE_EXCLUSIVE, page_range(4, 8)));
	leave(&second);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&first);
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

/* A CLOSE that comes when an exclusive already waits for the fill: the fill now waits
 * for it, so the exclusive must not be left waiting for the fill. */
START_TEST(an_exclusive_is_not_caught_behind_a_fill_that_is_closed_in_later)
{
	struct visitor first, fill, second, close;

	ck_assert(enter(&first, CL_GATE_EXCLUSIVE, page_range(0, 4)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(2, 6)));
	ck_assert(!enter(&second, CL_GATE_EXCLUSIVE, page_range(4, 8)));
	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert_uint_eq(second.calls, 1);
	leave(&first);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&second);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

START_TEST(entries_of_ranges_that_are_apart_never_wait_for_each_other)
{
	struct visitor visitors[16], waiting[16];

	/* In every second range somebody is in, and somebody else waits for him. */
	for (unsigned i = 0; i < 16; i++) {
		ck_assert(enter(&visitors[i], i % 4, page_range(2 * i, 2 * i + 1)));
		ck_assert_int_eq(enter(&waiting[i], CL_GATE_EXCLUSIVE,
				       page_range(2 * i, 2 * i + 1)),
				 i % 4 == CL_GATE_CLOSE);
	}
	for (unsigned i = 0; i < 16; i++) {
		struct visitor between;

		ck_assert(enter(&between, i / 4, page_range(2 * i + 1, 2 * i + 2)));
		leave(&between);
	}
	for (unsigned i = 0; i < 16; i++) {
		leave(&visitors[i]);
		leave(&waiting[i]);
	}
}
END_TEST

START_TEST(exclusives_of_one_range_are_granted_in_order_of_arrival)
{
	struct visitor write, exclusives[5];

	ck_assert(enter(&write, CL_GATE_WRITE, page_range(0, 1)));
	for (size_t i = 0; i < 5; i++)
		ck_assert(!enter(&exclusives[i], CL_GATE_EXCLUSIVE, page_range(0, 8)));
	leave(&write);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(exclusives[i].granted, exclusives[0].granted + i);
		if (i < 4)
			ck_assert_uint_eq(exclusives[i + 1].calls, 0);
		leave(&exclusives[i]);
	}
}
END_TEST

START_TEST(whoever_arrived_before_an_exclusive_goes_in_before_it)
{
	struct visitor first, write, second, fill;

	ck_assert(enter(&first, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(!enter(&write, CL_GATE_WRITE, page_range(0, 1)));
	ck_assert(!enter(&second, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(4, 5)));
	leave(&first);
	ck_assert_uint_eq(write.calls, 1);
	ck_assert_uint_eq(second.calls + fill.calls, 0);
	leave(&write);
	ck_assert_uint_eq(second.calls, 1);
	ck_assert_uint_eq(fill.calls, 0);
	leave(&second);
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

START_TEST(an_exclusive_elsewhere_overtakes_those_who_wait)
{
	struct visitor first, second, elsewhere;

	ck_assert(enter(&first, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(!enter(&second, CL_GATE_EXCLUSIVE, page_range(4, 12)));
	ck_assert(enter(&elsewhere, CL_GATE_EXCLUSIVE, page_range(12, 16)));
	leave(&elsewhere);
	leave(&first);
	leave(&second);
}
END_TEST

START_TEST(try_enter_parks_nothing)
{
	struct visitor exclusive, write;

	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, whole_file));
	ck_assert(!try_enter(&write, CL_GATE_WRITE, page_range(0, 1)));
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
	leave(&exclusive);
	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, whole_file));
	leave(&exclusive);
}
END_TEST

START_TEST(try_enter_does_not_overtake_a_waiting_exclusive)
{
	struct visitor write, exclusive, fill;

	ck_assert(enter(&write, CL_GATE_WRITE, page_range(0, 1)));
	ck_assert(!enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(!try_enter(&fill, CL_GATE_FILL, page_range(4, 5)));
	leave(&write);
	leave(&exclusive);
}
END_TEST

START_TEST(gates_of_two_mappings_have_nothing_to_do_with_each_other)
{
	struct cl_mapping *other;
	struct cl_gate_entry entry = {.range = whole_file, .kind = CL_GATE_EXCLUSIVE};
	struct visitor exclusive;

	ck_assert_int_eq(
		cl_mapping_create(fx.cache, &fake_store_ops, fx.store, 0, &other), 0);
	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, whole_file));
	ck_assert(cl_gate_try_enter(other, &entry));
	cl_gate_leave(other, &entry);
	leave(&exclusive);
	cl_mapping_free(other);
}
END_TEST

/* A callback that comes back into the gate it was called from. */
static struct visitor reentrant;
static size_t parked_seen;

static void enter_again(struct cl_gate_entry *entry)
{
	struct visitor again;

	parked_seen = cl_gate_parked(fx.mapping);
	ck_assert(try_enter(&again, CL_GATE_FILL, page_range(20, 21)));
	leave(&again);
	cl_gate_leave(fx.mapping, entry);
	ck_assert(!enter(&reentrant, CL_GATE_FILL, page_range(0, 1)));
}

START_TEST(a_callback_may_use_the_gate_it_was_called_from)
{
	struct visitor exclusive, close;
	struct cl_gate_entry parked = {.range = page_range(0, 8),
				       .kind = CL_GATE_WRITE,
				       .granted = enter_again};

	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(0, 8)));
	ck_assert(!cl_gate_enter(fx.mapping, &parked));
	leave(&exclusive);
	ck_assert_uint_eq(parked_seen, 0);
	ck_assert_uint_eq(reentrant.calls, 0);
	leave(&close);
	ck_assert_uint_eq(reentrant.calls, 1);
	leave(&reentrant);
}
END_TEST

/* A callback that frees the memory of its entry, as a parked request does. */
static void leave_and_free(struct cl_gate_entry *entry)
{
	cl_gate_leave(fx.mapping, entry);
	free(entry);
}

START_TEST(callbacks_may_leave_and_free_their_entries)
{
	struct visitor exclusive;

	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	for (int i = 0; i < 10; i++) {
		struct cl_gate_entry *entry = malloc(sizeof(*entry));

		ck_assert_ptr_nonnull(entry);
		*entry = (struct cl_gate_entry){.range = page_range(0, 8),
						.kind = i % 3 ? CL_GATE_WRITE
							      : CL_GATE_EXCLUSIVE,
						.granted = leave_and_free};
		ck_assert(!cl_gate_enter(fx.mapping, entry));
	}
	leave(&exclusive);
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
	ck_assert(enter(&exclusive, CL_GATE_EXCLUSIVE, page_range(0, 8)));
	leave(&exclusive);
}
END_TEST

static _Atomic bool released;

static void wait_for_the_exclusive(struct member *member)
{
	struct cl_gate_entry entry;

	(void)member;
	gated_enter(fx.mapping, &entry, CL_GATE_EXCLUSIVE, page_range(0, 8));
	ck_assert(atomic_load(&released));
	cl_gate_leave(fx.mapping, &entry);
}

START_TEST(enter_wait_returns_when_it_has_been_granted)
{
	struct visitor fill;
	struct team team;

	ck_assert(enter(&fill, CL_GATE_FILL, page_range(0, 1)));
	team_start(&team, 3, wait_for_the_exclusive, NULL);
	team_await_asleep(&team);
	atomic_store(&released, true);
	leave(&fill);
	team_join(&team);
}
END_TEST

START_TEST(a_parked_fill_can_be_taken_back)
{
	struct visitor close, fill;

	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(4, 8)));
	ck_assert(cl_gate_withdraw(fx.mapping, &fill.entry));
	ck_assert(!cl_gate_withdraw(fx.mapping, &fill.entry));
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
	leave(&close);
	ck_assert_uint_eq(fill.calls, 0);
}
END_TEST

START_TEST(a_fill_that_is_granted_is_not_taken_back)
{
	struct visitor close, fill;

	ck_assert(enter(&close, CL_GATE_CLOSE, page_range(4, 8)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(4, 8)));
	leave(&close);
	ck_assert(!cl_gate_withdraw(fx.mapping, &fill.entry));
	ck_assert_uint_eq(fill.calls, 1);
	leave(&fill);
}
END_TEST

START_TEST(a_fill_that_has_not_come_is_not_taken_back)
{
	struct visitor fill = {.entry = {.kind = CL_GATE_FILL}};

	ck_assert(!cl_gate_withdraw(fx.mapping, &fill.entry));
}
END_TEST

/* As in whoever_arrived_before_an_exclusive_goes_in_before_it: the second EXCLUSIVE must
 * not overtake the FILL. */
START_TEST(whoever_waits_for_a_fill_that_is_taken_back_goes_on)
{
	struct visitor low, fill, high;

	ck_assert(enter(&low, CL_GATE_EXCLUSIVE, page_range(0, 4)));
	ck_assert(!enter(&fill, CL_GATE_FILL, page_range(2, 6)));
	ck_assert(!enter(&high, CL_GATE_EXCLUSIVE, page_range(4, 8)));
	ck_assert(cl_gate_withdraw(fx.mapping, &fill.entry));
	ck_assert_uint_eq(high.calls, 1);
	leave(&high);
	leave(&low);
	ck_assert_uint_eq(fill.calls, 0);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("gate", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fills_outside_a_closed_range_are_granted_at_once);
	tcase_add_test(tc,
		       a_fill_in_a_closed_range_is_parked_and_granted_when_it_opens);
	tcase_add_test(tc, an_entry_granted_at_once_hears_no_callback);
	tcase_add_test(tc, ranges_are_those_of_whole_pages);
	tcase_add_test(tc, a_range_to_the_end_of_file_covers_every_offset);
	tcase_add_test(tc, close_waits_for_the_fills_in_progress);
	tcase_add_test(tc, no_new_fill_slips_in_while_close_waits);
	tcase_add_test(tc, close_waits_for_no_fill_elsewhere);
	tcase_add_test(tc, a_write_passes_a_closed_gate);
	tcase_add_test(tc, a_write_passes_a_close_that_still_waits);
	tcase_add_test(tc, fills_and_writes_share_a_range);
	tcase_add_test(tc, exclusive_waits_for_the_fills_and_writes_of_its_range);
	tcase_add_test(tc, exclusive_waits_for_nothing_outside_its_range);
	tcase_add_test(tc, nothing_is_let_in_beside_an_exclusive);
	tcase_add_test(tc, a_new_fill_or_write_queues_behind_a_waiting_exclusive);
	tcase_add_test(tc, an_exclusive_does_not_wait_for_a_parked_fill);
	tcase_add_loop_test(
		tc, exclusives_of_other_ranges_do_not_take_turns_before_one_who_waits,
		0, 2);
	tcase_add_test(
		tc, an_exclusive_passes_a_fill_that_a_close_and_an_exclusive_keep_out);
	tcase_add_test(
		tc, an_exclusive_is_not_caught_behind_a_fill_that_is_closed_in_later);
	tcase_add_test(tc, entries_of_ranges_that_are_apart_never_wait_for_each_other);
	tcase_add_test(tc, exclusives_of_one_range_are_granted_in_order_of_arrival);
	tcase_add_test(tc, whoever_arrived_before_an_exclusive_goes_in_before_it);
	tcase_add_test(tc, an_exclusive_elsewhere_overtakes_those_who_wait);
	tcase_add_test(tc, try_enter_parks_nothing);
	tcase_add_test(tc, try_enter_does_not_overtake_a_waiting_exclusive);
	tcase_add_test(tc, gates_of_two_mappings_have_nothing_to_do_with_each_other);
	tcase_add_test(tc, a_callback_may_use_the_gate_it_was_called_from);
	tcase_add_test(tc, callbacks_may_leave_and_free_their_entries);
	tcase_add_test(tc, enter_wait_returns_when_it_has_been_granted);
	tcase_add_test(tc, a_parked_fill_can_be_taken_back);
	tcase_add_test(tc, a_fill_that_is_granted_is_not_taken_back);
	tcase_add_test(tc, a_fill_that_has_not_come_is_not_taken_back);
	tcase_add_test(tc, whoever_waits_for_a_fill_that_is_taken_back_goes_on);
	return suite_run(suite);
}
