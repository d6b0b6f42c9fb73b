/* SPDX-License-Identifier: MIT */
/*
 * The page lock, for spin: cachelayer/page_lock.c and page_waiters.c in every
 * interleaving of a few threads.
 *
 *   (none)        LOCKERS threads take the lock ROUNDS times each; IMPATIENT of them
 *                 give up whenever they like
 *   EVENTS        one thread waits for the end of a fill, another for that of a
 *                 writeback, beside them
 *   FOR_EVER      they never end: for the claim `served`
 *   UNFAIRNESS=1  how often a waiter may be overtaken
 *
 * Left out, to see that it is noticed:
 *
 *   WITHOUT_RECHECK   a thread queues without looking again whether the lock is free
 *   WITHOUT_RESET     who has lost a race does not set the waiters' bit again
 *   WITHOUT_OTHERS    who was woken and has won does not set it for those behind
 *   WITHOUT_PASSING   who was woken and gives up does not wake the next one
 *   WITHOUT_KEEPING   a lock that is handed over is free for a moment
 *   WITHOUT_GRANT     who gives up does not look whether the lock has been handed to it
 *   WITHOUT_HANDOVER  nothing is ever handed over
 *   WITHOUT_FILLED    handing over does not wake those who wait for a fill
 *   WITHOUT_LOOP      who waits for a writeback believes the first wake-up
 *
 * What is checked:
 *
 *   exclusion   (assertion) nobody else is inside
 *   overtaking  (assertion) nobody is overtaken more often than UNFAIRNESS
 *   written     (assertion) who waited for a writeback finds none under way
 *   wake-ups    (spin's "invalid end state") everybody ends what he has begun
 *   served      under weak fairness who wants the lock gets it
 *
 * One step is one atomic operation on the state word, or what is done under a bucket's
 * mutex to the queue; the mutex is modelled, since the word changes beside it.
 */

#ifndef LOCKERS
#define LOCKERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef UNFAIRNESS
#define UNFAIRNESS 1
#endif

#ifndef IMPATIENT
#define IMPATIENT 1
#endif

#define NONE	0 /* enum page_signal */
#define WOKEN	1
#define GRANTED 2

/* The state word. */
bool locked, lock_waiters, uptodate, writeback, writeback_waiters;

/* The bucket. Its mutex is taken to be fair where that matters. */
#ifdef FOR_EVER
chan bucket = [LOCKERS] of { byte };
#else
bool bucket;
#endif
chan queue = [LOCKERS] of { byte };
byte signal[LOCKERS];
byte remaining[LOCKERS]; /* overtakings_left */
bool fill_queued, fill_woken;
bool write_queued[2], write_woken[2];

/* What is to be seen from outside. */
byte inside;
byte overtaken[LOCKERS];
bool wants[LOCKERS];
bool no_new_writeback; /* somebody has the page lock for long */

inline bucket_lock()
{
#ifdef FOR_EVER
	bucket!_pid;
	bucket?[eval(_pid)]
#else
	atomic { !bucket -> bucket = true }
#endif
}

inline bucket_unlock()
{
#ifdef FOR_EVER
	bucket?_
#else
	bucket = false
#endif
}

/* ------------------------------------------------------------------------- locking */

/* try_lock() */
inline try_lock(got)
{
	atomic {
		if
		:: !locked -> locked = true; got = true
		:: else -> skip
		fi
	}
}

/* Under the bucket: the bit is set while it is locked, or the lock is taken. */
inline set_bit_or_take(got)
{
	do
	:: atomic { locked -> lock_waiters = true }; break
	:: atomic { !locked -> locked = true; got = true }; break
	od
}

inline park(id, got)
{
	bucket_lock();
#ifdef WITHOUT_RECHECK
	lock_waiters = true;
#else
	set_bit_or_take(got);
#endif
	if
	:: !got -> queue!id
	:: else -> skip
	fi;
	bucket_unlock()
}

inline compete(id, got)
{
	if
	:: try_lock(got) /* spin() */
	:: true -> skip
	fi;
	bucket_lock();
	if
	:: got -> skip
	:: else ->
#ifdef WITHOUT_RESET
		try_lock(got)
#else
		set_bit_or_take(got)
#endif
	fi;
	if
	:: got ->
		queue??eval(id);
#ifndef WITHOUT_OTHERS
		if
		:: nempty(queue) -> lock_waiters = true
		:: empty(queue) -> skip
		fi
#endif
	:: else ->
		atomic {
			signal[id] = NONE;
#if !defined(FOR_EVER) || !defined(WITHOUT_HANDOVER)
			overtaken[id]++;
			assert(overtaken[id] <= UNFAIRNESS);
#endif
#ifndef WITHOUT_HANDOVER
			if
			:: remaining[id] > 0 -> remaining[id]--
			:: else -> skip
			fi
#endif
		}
	fi;
	bucket_unlock()
}

/* give_up(); `got` stays as it is unless the lock has been handed over */
inline give_up(id, got)
{
	bucket_lock();
	if
#ifdef WITHOUT_GRANT
	:: signal[id] == GRANTED -> skip
#else
	:: signal[id] == GRANTED -> got = true
#endif
	:: else ->
		queue??eval(id);
#ifndef WITHOUT_PASSING
		if
		:: signal[id] == WOKEN && len(queue) > 0 ->
			do
			:: atomic { locked -> lock_waiters = true }; break
			:: atomic { !locked -> queue?<next>; signal[next] = WOKEN }; break
			od
		:: else -> skip
		fi
#endif
	fi;
	bucket_unlock()
}

/* page_lock_until(): `got` says whether */
inline lock(id, got)
{
	got = false;
	wants[id] = true;
	try_lock(got);
	if
	:: got -> skip
	:: else ->
		atomic {
			signal[id] = NONE;
			remaining[id] = UNFAIRNESS;
			overtaken[id] = 0
		}
		park(id, got);
		do
		:: got -> break
		:: atomic { !got && signal[id] == GRANTED -> got = true }; break
		:: !got && signal[id] == WOKEN -> compete(id, got)
		:: !got && id < IMPATIENT -> give_up(id, got); break
		od
	fi;
	wants[id] = false
}

/* ------------------------------------------------------------------------ unlocking */

inline unlock_slow()
{
	bucket_lock();
	hand_over = false;
	asleep = false;
	if
	:: queue?[next] -> queue?<next>; asleep = signal[next] == NONE
	:: empty(queue) -> skip
	fi;
#ifndef WITHOUT_HANDOVER
	hand_over = asleep && remaining[next] == 0;
#endif
#ifdef WITHOUT_FILLED
	filled = fill_queued && !hand_over;
#else
	filled = fill_queued;
#endif
	fill_queued = fill_queued && !filled;
	if
	:: hand_over ->
		queue?next;
#ifdef WITHOUT_KEEPING
		locked = false;
		locked = true;
#endif
		atomic { lock_waiters = nempty(queue) }
		signal[next] = GRANTED
	:: else ->
		atomic { locked = false; lock_waiters = false }
		if
		:: asleep -> signal[next] = WOKEN
		:: else -> skip
		fi
	fi;
	bucket_unlock();
	if
	:: filled -> fill_woken = true
	:: else -> skip
	fi
}

inline unlock()
{
	atomic {
		if
		:: !lock_waiters -> locked = false; slow = false
		:: else -> slow = true
		fi
	}
	if
	:: slow -> unlock_slow()
	:: else -> skip
	fi
}

/* ---------------------------------------------------------------------- the threads */

proctype locker(byte id)
{
	byte next, round;
	bool got, slow, hand_over, asleep, filled;

	do
#ifdef FOR_EVER
	:: true ->
#else
	:: round == ROUNDS -> break
	:: round < ROUNDS -> round++;
#endif
		lock(id, got);
		if
		:: got ->
			atomic { inside++; assert(inside == 1) }
			uptodate = true;
			atomic { inside--; assert(inside == 0) }
			unlock()
		:: else -> skip
		fi
	od
}

#define FILLING (locked && !uptodate)

/* page_wait_filling() */
proctype waiter_for_fill()
{
	bool waits;

	do
	:: !FILLING -> break
	:: FILLING ->
		bucket_lock();
		atomic {
			waits = locked;
			if
			:: waits -> lock_waiters = true
			:: else -> skip
			fi
		}
		fill_queued = waits;
		bucket_unlock();
		if
		:: waits -> atomic { fill_woken -> fill_woken = false }
		:: else -> skip
		fi
	od
}

/* page_wait_writeback(); 0 holds no lock, 1 holds the page's, so that no new one begins */
proctype waiter_for_writeback(bit who)
{
	bool waits;

	if
	:: who -> no_new_writeback = true
	:: else -> skip
	fi;
	do
	:: !writeback -> break
	:: writeback ->
		bucket_lock();
		atomic {
			waits = writeback;
			if
			:: waits -> writeback_waiters = true
			:: else -> skip
			fi
		}
		write_queued[who] = waits;
		bucket_unlock();
		if
		:: waits -> atomic { write_woken[who] -> write_woken[who] = false }
		:: else -> skip
		fi;
#ifdef WITHOUT_LOOP
		break
#endif
	od;
	assert(!who || !writeback)
}

/* The second half of page_end_writeback(): whoever does it may be late. */
proctype late_waker()
{
	bool wake[2];

	bucket_lock();
	wake[0] = write_queued[0];
	wake[1] = write_queued[1];
	write_queued[0] = false;
	write_queued[1] = false;
	bucket_unlock();
	if
	:: wake[0] -> write_woken[0] = true
	:: else -> skip
	fi;
	if
	:: wake[1] -> write_woken[1] = true
	:: else -> skip
	fi
}

/* page_end_writeback(), and perhaps of a second writeback, which begins in between */
proctype writer_back()
{
	bool look;
	byte turn;

	do
	:: !writeback || turn == 2 -> break
	:: writeback && turn < 2 ->
		turn++;
		atomic {
			look = writeback_waiters;
			writeback = false;
			writeback_waiters = false
		}
		if
		:: look -> run late_waker()
		:: else -> skip
		fi;
		atomic {
			if
			:: turn == 1 && !no_new_writeback -> writeback = true
			:: true -> skip
			fi
		}
	od
}

init
{
	byte i;

	atomic {
#ifdef EVENTS
		writeback = true;
		run waiter_for_fill();
		run waiter_for_writeback(0);
		run waiter_for_writeback(1);
		run writer_back();
#endif
		do
		:: i < LOCKERS -> run locker(i); i++
		:: else -> break
		od
	}
}

ltl served { [] (wants[1] -> <> !wants[1]) }
