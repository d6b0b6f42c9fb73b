/* SPDX-License-Identifier: MIT */
/*
 * A range operation beside everything that goes on in the kernel meanwhile, for spin:
 * the protocol of DESIGN.md, section 9, in every interleaving.
 *
 * One file of a few pages, mapped by two threads that load and store wherever they
 * like; the kernel's page cache of it, which drops clean folios and writes dirty ones
 * back whenever it likes; the daemon; and one operation, which is about all of the file.
 * Macros say what it is, and what is left out of the protocol:
 *
 *   (none)       collapse: page 0 is removed, the file shrinks
 *   INSERT       a page of zeros is inserted at 0, the file grows
 *   MOVE         page 0 replaces page 1 and leaves zeros
 *   PAGES=2      so many indexes
 *   ACCESSES=1   of each mapper
 *   RECLAIMS=1   how often the kernel drops a clean folio; without it: for ever
 *   ROUNDS=2     of the chase, before it gives up; without it: whenever it likes
 *   ENDLESS      it never gives up
 *
 *   BLIND        mappers do not look at what they find
 *
 *   WITHOUT_R1, _R2, _R3, _R4, _GATE, _SECOND_UNMAP, _RESCUE, _ADOPTION
 *   WITHOUT_LATE_RESCUE of READs that are older than the notification
 *   WITHOUT_CUT  of the window, where a READ is parked
 *
 *   COPIES       the kernel writes back from temporary copies, as before 6.16
 *   DEVICE       and what is stored need not wait for those (get_user_pages())
 *   FULL         and has one place for background requests, which another file's is in
 *   WITHOUT_FENCE, _F1, _F2 (nobody asks), _F2_TAKEN (taken counts as known), _F2_QUEUE (nobody
 *                counts the places), _F3 (F4 looks before), _F4, _ANSWER (the gate is left
 *                before the answer goes out): see fence.c, sim_queue.c
 *
 * Bytes are modelled by where they come from, and by which stores have gone to them. What
 * is checked:
 *
 *   stale      whoever touches a page finds the one that belongs there in that instant:
 *              the old one before the change, the new one after it, never any other; and
 *              SIGBUS only where the file has ended
 *   lost       at the end each page of the file is in its place, and has every store that
 *              was made to it, and no other
 *   deadlock   (spin's "invalid end state") everybody ends what he has begun
 *   ends       under weak fairness the operation returns, and every access is made
 *
 * Each step says in which function, of ours or of the kernel, it happens. What is one
 * step here is, there, done under one lock, or is nothing that anybody could see.
 */

#ifndef PAGES
#define PAGES 2
#endif
#ifndef ACCESSES
#define ACCESSES 1
#endif
#define MAPPERS 2

#if defined(WITHOUT_FENCE) || defined(WITHOUT_F1) || defined(WITHOUT_F2) ||            \
	defined(WITHOUT_F2_TAKEN) || defined(WITHOUT_F2_QUEUE) || defined(WITHOUT_F3) || \
	defined(WITHOUT_F4) || defined(WITHOUT_ANSWER)
#define WITHOUT_FENCE_RULE
#endif

/* ------------------------------------------------------------ bytes and their places */

/* Where bytes come from: a page that was at index 0, 1, 2 at first; or one of these. */
#define ZERO 3
#define PAST 4 /* not of the file */

/* What belongs at an index before the change, and what after it. */
#if defined(INSERT)
#define SIZE_BEFORE (PAGES - 1)
#define SIZE_AFTER  PAGES
#define BEFORE(i)   (i < SIZE_BEFORE -> i : PAST)
#define AFTER(i)    (i == 0 -> ZERO : i - 1)
#elif defined(MOVE)
#define SIZE_BEFORE PAGES
#define SIZE_AFTER  PAGES
#define BEFORE(i)   (i)
#define AFTER(i)    (i == 0 -> ZERO : (i == 1 -> 0 : i))
#else
#define SIZE_BEFORE PAGES
#define SIZE_AFTER  (PAGES - 1)
#define BEFORE(i)   (i)
#define AFTER(i)    (i < SIZE_AFTER -> i + 1 : PAST)
#endif

typedef bytes {
	byte id;    /* where they come from */
	byte stores /* a bit for each that has gone to them */
};

/* Ghosts: they record, and nobody acts upon them. */
bool changed;  /* the operation has happened */
bool returned; /* and whoever asked for it knows */
byte made[5];  /* the stores to each page, by where it comes from */
byte finished; /* mappers */

#define BELONGS(i) (changed -> AFTER(i) : BEFORE(i))

inline copy(to, from)
{
	to.id = from.id;
	to.stores = from.stores
}

/* ----------------------------------------------------------------------- the kernel */

typedef folio {
	bool present;
	bool locked;
	bool uptodate;
	bool dirty;
	bool writeback;
	bool mapped; /* in the page table of the mappers, who share it */
	bytes b
};

folio folios[PAGES];
byte i_size = SIZE_BEFORE;

/* Requests: of one page there is one READ at a time, under its folio's lock, and one
 * WRITE, while it is under writeback. */
#define NONE   0
#define SENT   1
#define PARKED 2
#define INSIDE 3 /* let in by the gate, and not answered */
/* With COPIES a WRITE is also one of these, and a READ may have to wait for it. */
#define QUEUED  4 /* in bg_queue */
#define TAKEN   5 /* by a thread, and nobody else knows */
#define WRITTEN 6 /* the store has it */
#define LEFT    7 /* and it has left the gate, against the rule */
#define WAITING 8 /* of a READ: fuse_wait_on_page_writeback() */

byte reads[PAGES];   /* NONE, SENT, PARKED, INSIDE */
bytes answers[PAGES]; /* what a READ that is INSIDE will be answered */
byte writes[PAGES];  /* NONE, SENT, INSIDE */

#ifdef COPIES
bytes sent[PAGES];      /* what a WRITE brings */
bytes auxiliary[PAGES]; /* and the one behind it, wpa->next */
bool follows[PAGES];    /* there is one */

/* Requests in the FIFO are taken in order; it only matters which were there before the
 * fence's marker. Of another file there is one at most. */
bool ahead[PAGES], other_ahead;
byte other; /* NONE, SENT, TAKEN */

#ifdef FULL
#define MAX_BACKGROUND 1
#else
#define MAX_BACKGROUND 9
#endif
#define IS_ACTIVE(w) (w != NONE && w != QUEUED)
#define IS_OURS(w)   (IS_ACTIVE(w) && w != SENT) /* taken, and not answered */
#if PAGES > 2
#define COUNT(what)  (what(writes[0]) + what(writes[1]) + what(writes[2]) + what(other))
#else
#define COUNT(what)  (what(writes[0]) + what(writes[1]) + what(other))
#endif

/* fuse_request_queue_background(), flush_bg_queue() */
inline send_write(i)
{
	if
	:: COUNT(IS_ACTIVE) < MAX_BACKGROUND -> writes[i] = SENT
	:: else -> writes[i] = QUEUED
	fi
}

inline unqueue(i)
{
	if
	:: writes[i] == QUEUED && COUNT(IS_ACTIVE) < MAX_BACKGROUND -> writes[i] = SENT
	:: else
	fi
}

inline flush_bg_queue()
{
	unqueue(0);
	unqueue(1);
#if PAGES > 2
	unqueue(2)
#endif
}

/* Entries of writebacks that have been answered and not left yet. */
byte leaving[PAGES];
/* What the operation knows: gate_watch(); what the owner of its fence() does. */
bool stirred;	     /* a writeback has come or left since F1 */
bool unknown[PAGES]; /* had been taken before the marker, and is not known */
byte took;	     /* background requests, since the marker was sent */
#endif

/* ----------------------------------------------------------------------- the daemon */

bytes file[PAGES]; /* the store and our page cache, which change as one */
byte size = SIZE_BEFORE;

/* The gate, as the one operation uses it (gate_rules.c). */
bool closed;	/* a CLOSE over the file, granted or waiting for fills to end */
bool exclusive; /* an EXCLUSIVE over the file, granted or waiting for both to end */
bool tail;	/* a CLOSE past the new end */
bool resident[PAGES];

/* The monitor (op_monitor.c). */
bool notifying; /* a notification is in flight, for pages [window, window_end) */
byte window, window_end;
bool size_told; /* the kernel has the new size: cl_size_told() */
#ifdef WITHOUT_LATE_RESCUE
bool late[PAGES]; /* the READ was parked before this notification began */
#endif

bool page_locks; /* held by the operation: R2 says that they never are meanwhile */

/* Which entries may be let in: may_enter(). */
#ifdef WITHOUT_GATE
#define FILL_MAY_ENTER(i) (!exclusive)
#else
#define FILL_MAY_ENTER(i) (!closed && !exclusive && !(tail && i >= size))
#endif
#ifdef WITHOUT_R3
#define WRITE_MAY_ENTER (!exclusive && !closed)
#else
#define WRITE_MAY_ENTER (!exclusive)
#endif
#ifdef WITHOUT_R4
#define OTHERS_MAY_ENTER (!exclusive && !closed && !tail)
#else
#define OTHERS_MAY_ENTER true
#endif

/* grant() of a FILL: from now on the page is resident. What it will be answered is
 * looked up at once, as nobody may change it while the FILL is inside. */
inline grant_read(i)
{
	reads[i] = INSIDE;
	resident[i] = true;
	answers[i].id = file[i].id;
	answers[i].stores = file[i].stores
}

/* park() of a FILL: the kernel holds that folio locked and empty. */
inline park_read(i)
{
	reads[i] = PARKED;
	resident[i] = false
}

/* cl_gate_leave(): whoever may now be let in, is. */
inline let_in(i)
{
	if
	:: reads[i] == PARKED && FILL_MAY_ENTER(i) -> grant_read(i)
	:: else
	fi;
	if /* a WRITE, which EXCLUSIVE has kept out */
	:: writes[i] == PARKED && WRITE_MAY_ENTER -> writes[i] = INSIDE
	:: else
	fi
}

inline let_all_in()
{
	let_in(0);
	let_in(1);
#if PAGES > 2
	let_in(2)
#endif
}

/* ------------------------------------------------------- the daemon's serving threads */

/* What a thread does with a READ that has come: op_read(). R1: if it has to wait it is
 * put aside, and the thread goes on. */
#ifdef WITHOUT_R1
#define WAIT_IF_PARKED(i) reads[i] != PARKED
#else
#define WAIT_IF_PARKED(i) skip
#endif
#define SERVE_READ(i)                                                                  \
	atomic {                                                                       \
		reads[i] == SENT && FILL_MAY_ENTER(i) && !page_locks;                  \
		grant_read(i)                                                          \
	}                                                                              \
	:: atomic {                                                                    \
		reads[i] == SENT && !FILL_MAY_ENTER(i);                                \
		park_read(i);                                                          \
		WAIT_IF_PARKED(i)                                                      \
	}

#ifdef COPIES
inline known(i)
{
	stirred = true;
	unknown[i] = false
}

/* fuse_writepage_end(): the one behind it is sent now. */
inline end_write(i)
{
	writes[i] = NONE;
	flush_bg_queue();
	sent[i].id = 0;
	sent[i].stores = 0;
	if
	:: follows[i] ->
		copy(sent[i], auxiliary[i]);
		auxiliary[i].id = 0;
		auxiliary[i].stores = 0;
		follows[i] = false;
		send_write(i)
	:: else
	fi
}

#ifdef WITHOUT_ANSWER
#define END_WRITE(i)                                                                   \
	d_step { writes[i] == WRITTEN; writes[i] = LEFT; stirred = true }              \
	:: d_step { writes[i] == LEFT; end_write(i) }
#else
#define END_WRITE(i)                                                                   \
	d_step { writes[i] == WRITTEN; leaving[i]++; end_write(i) }                    \
	:: d_step { leaving[i] > 0; leaving[i]--; stirred = true }
#endif

/* op_write() of several threads: taken, then granted or parked. */
#define SERVE_WRITE(i)                                                                 \
	d_step { writes[i] == SENT; writes[i] = TAKEN; ahead[i] = false; took++ }      \
	:: d_step { writes[i] == TAKEN && WRITE_MAY_ENTER; writes[i] = INSIDE; known(i) } \
	:: d_step { writes[i] == TAKEN && !WRITE_MAY_ENTER; writes[i] = PARKED; known(i) } \
	:: d_step {                                                                    \
		writes[i] == INSIDE && !page_locks;                                    \
		copy(file[i], sent[i]);                                                \
		writes[i] = WRITTEN                                                    \
	}                                                                              \
	:: END_WRITE(i)

#else
/* op_write(), of a page that the kernel writes back. Parked as data: it stays SENT. */
#define SERVE_WRITE(i)                                                                 \
	d_step { writes[i] == SENT && WRITE_MAY_ENTER; writes[i] = INSIDE }            \
	:: d_step {                                                                    \
		writes[i] == INSIDE && !page_locks;                                    \
		copy(file[i], folios[i].b); /* cl_write() */                           \
		writes[i] = NONE;                                                      \
		folios[i].writeback = false /* fuse_writepage_end() */                 \
	}
#endif

/* fuse_reply_iov() in answer(), then cl_gate_leave(); in the kernel, fuse_readpages_end().
 */
#define ANSWER_READ(i)                                                                 \
	d_step {                                                                       \
		reads[i] == INSIDE;                                                    \
		copy(folios[i].b, answers[i]);                                         \
		folios[i].uptodate = true;                                             \
		folios[i].locked = false;                                              \
		reads[i] = NONE;                                                       \
		answers[i].id = 0;                                                     \
		answers[i].stores = 0                                                  \
	}

/* GETATTR of the two calls that adoption_run() makes: ops_attr.c. */
byte getattrs[2]; /* NONE, SENT, INSIDE: answered */
byte told[2];	  /* the size in the answer */

#define SERVE_GETATTR(n)                                                               \
	d_step {                                                                       \
		getattrs[n] == SENT && OTHERS_MAY_ENTER;                               \
		told[n] = size;                                                        \
		getattrs[n] = INSIDE                                                   \
	}

/* One is enough: --threads=1. */
active proctype libfuse_thread()
{
end:
	do
	:: SERVE_READ(0)
	:: SERVE_READ(1)
	:: SERVE_WRITE(0)
	:: SERVE_WRITE(1)
#if PAGES > 2
	:: SERVE_READ(2)
	:: SERVE_WRITE(2)
#endif
	:: SERVE_GETATTR(0)
	:: SERVE_GETATTR(1)
#ifdef FULL
	:: d_step { other == SENT; other = TAKEN; other_ahead = false; took++ }
	:: d_step { other == TAKEN; other = NONE; flush_bg_queue() }
#endif
	od
}

/* The `continue` pool. What the thread above would answer at once may as well be
 * answered here. */
active proctype continuations()
{
end:
	do
	:: ANSWER_READ(0)
	:: ANSWER_READ(1)
#if PAGES > 2
	:: ANSWER_READ(2)
#endif
	od
}

/* Rescue: rescue_round() of op_monitor.c. A READ that a notification may wait for: at
 * once if it came for the window while this was in flight, after a longer moment any.
 * Here no time passes, so any may be rescued as long as one is in flight. */
#ifdef WITHOUT_LATE_RESCUE
#define RESCUABLE(i) (notifying && !late[i] && i >= window && i < window_end)
#else
#define RESCUABLE(i) (notifying)
#endif
#define RESCUE(i)                                                                      \
	d_step {                                                                       \
		reads[i] == PARKED && !exclusive &&                                    \
			(RESCUABLE(i) || (size_told && tail && i >= size));            \
		grant_read(i) /* gate_rescue() */                                      \
	}

#ifndef WITHOUT_RESCUE
active proctype monitor()
{
end:
	do
	:: RESCUE(0)
	:: RESCUE(1)
#if PAGES > 2
	:: RESCUE(2)
#endif
	od
}
#endif

/* -------------------------------------------------------- the kernel on its own behalf */

#ifdef COPIES
/* fuse_writepages_fill(): the folio is clean, and nothing else is known of it. */
inline start_writeback(i)
{
	folios[i].dirty = false;
	if
	:: writes[i] == NONE ->
		copy(sent[i], folios[i].b);
		send_write(i)
	:: else -> /* fuse_writepage_add() */
		copy(auxiliary[i], folios[i].b);
		follows[i] = true
	fi
}
#define IS_WRITTEN(i) (writes[i] == NONE)
#else
/* folio_clear_dirty_for_io(), the page table's entry made read-only, folio_start_writeback(),
 * and the request on its way. */
inline start_writeback(i)
{
	folios[i].dirty = false;
	folios[i].writeback = true;
	writes[i] = SENT
}
#define IS_WRITTEN(i) (!folios[i].writeback)
#endif

inline remove_folio(i)
{
	folios[i].present = false;
	folios[i].locked = false;
	folios[i].uptodate = false;
	folios[i].dirty = false;
	folios[i].mapped = false;
	folios[i].b.id = 0;
	folios[i].b.stores = 0
}

#define IDLE(i)                                                                        \
	(folios[i].present && folios[i].uptodate && !folios[i].locked &&               \
	 !folios[i].writeback)

#ifdef RECLAIMS
byte reclaims = RECLAIMS;
#define MAY_RECLAIM (reclaims > 0)
#define RECLAIMED   reclaims--
#else
#define MAY_RECLAIM true
#define RECLAIMED   skip
#endif

/* shrink_folio_list() of what is clean; fuse_writepages() of what is dirty. */
#define RECLAIM(i)                                                                     \
	d_step {                                                                       \
		IDLE(i) && !folios[i].dirty && MAY_RECLAIM;                            \
		remove_folio(i);                                                       \
		RECLAIMED                                                              \
	}
#define WRITE_BACK(i)                                                                  \
	d_step { IDLE(i) && folios[i].dirty; start_writeback(i) }

/* fuse_do_readpage(), in whichever thread */
#define AFTER_WAITING(i)                                                               \
	d_step { reads[i] == WAITING && IS_WRITTEN(i); reads[i] = SENT }

active proctype kernel_threads()
{
end:
	do
	:: RECLAIM(0)
	:: RECLAIM(1)
	:: WRITE_BACK(0)
	:: WRITE_BACK(1)
#ifdef COPIES
	:: AFTER_WAITING(0)
	:: AFTER_WAITING(1)
#if PAGES > 2
	:: AFTER_WAITING(2)
#endif
#endif
#if PAGES > 2
	:: RECLAIM(2)
	:: WRITE_BACK(2)
#endif
	od
}

/* ---------------------------------------------------------------------- two mappers */

bool stale, lost; /* what must not be */

inline check_place(i)
{
#ifdef BLIND
	skip
#else
	stale = folios[i].b.id == PAST || folios[i].b.id != BELONGS(i);
	assert(!stale)
#endif
}

/* fuse_page_mkwrite() waits for a WRITE of the page; a device that has pinned it does not. */
#ifdef DEVICE
#define MAY_DIRTY(i) true
#else
#define MAY_DIRTY(i) IS_WRITTEN(i)
#endif
#ifdef COPIES
#define SEND_READ(i) reads[i] = WAITING
#else
#define SEND_READ(i) reads[i] = SENT
#endif

/* A load or a store goes to the folio, if the page table leads there; if not it faults. */
inline touch(i, mark)
{
	do
	:: d_step { folios[i].mapped; check_place(i) } -> break /* a load */
	:: d_step {
		folios[i].mapped &&
			(folios[i].dirty || (!folios[i].locked && MAY_DIRTY(i)));
		check_place(i);
		folios[i].dirty = true; /* fuse_page_mkwrite(), unless it was */
		folios[i].b.stores = folios[i].b.stores | mark;
		made[folios[i].b.id] = made[folios[i].b.id] | mark
	} -> break
	:: d_step { /* filemap_fault(): beyond the end, SIGBUS */
		!folios[i].mapped && i >= i_size;
		stale = BELONGS(i) != PAST && (returned || BEFORE(i) != PAST);
		assert(!stale)
	} -> break
	:: d_step { /* filemap_fault(), page_cache_ra_order(), fuse_read_folio() */
		!folios[i].mapped && i < i_size && !folios[i].present;
		folios[i].present = true;
		folios[i].locked = true;
		SEND_READ(i)
	}
	:: d_step { /* filemap_fault(), with the folio's lock; finish_fault() */
		!folios[i].mapped && i < i_size && folios[i].present &&
			folios[i].uptodate && !folios[i].locked;
		folios[i].mapped = true
	}
	od
}

proctype mapper(byte number)
{
	byte n, i;

	do
	:: n < ACCESSES ->
		if
		:: i = 0
		:: i = 1
#if PAGES > 2
		:: i = 2
#endif
		fi;
		touch(i, 1 << (number * ACCESSES + n));
		n++
	:: else -> break
	od;
	atomic {
		n = 0;
		i = 0;
		finished++
	}
}

/* -------------------------------------------------------------- the range operation */

/* invalidate_inode_pages2_range() of one page. */
inline drop_folio(i)
{
	if
	:: atomic { folios[i].present && !folios[i].locked; folios[i].locked = true } ->
		atomic { !folios[i].writeback; folios[i].mapped = false };
		if
		:: d_step { folios[i].dirty && IS_WRITTEN(i); start_writeback(i) } -> /* fuse_launder_folio() */
			atomic { IS_WRITTEN(i); remove_folio(i) }
		:: d_step { !folios[i].dirty; remove_folio(i) }
		fi
	:: !folios[i].present
	fi
}

/* gate_strike(): the window ends where a READ is parked. */
#ifdef WITHOUT_CUT
#define CUTS(p) false
#else
#define CUTS(p) (reads[p] == PARKED && p > window)
#endif

inline strike(p)
{
	if
	:: CUTS(p) && p < window_end -> window_end = p
	:: else
	fi;
	resident[p] = resident[p] && !(p >= window && p < window_end)
}

/* gate_next_resident(), and when it was asked: a READ that comes after that may be in the
 * way, and is rescued early. */
inline look(from)
{
	window = from;
#ifdef WITHOUT_LATE_RESCUE
	late[0] = reads[0] == PARKED;
	late[1] = reads[1] == PARKED;
#if PAGES > 2
	late[2] = reads[2] == PARKED;
#endif
#endif
}

/* notify() of chase.c: strike the pages, then have them dropped. */
inline notify()
{
	d_step {
		window_end = PAGES;
		i = window;
		notifying = true;
		strike(0);
		strike(1);
#if PAGES > 2
		strike(2);
#endif
	}
	do
	:: i < window_end -> drop_folio(i); i++
	:: else -> break
	od;
	atomic {
		notifying = false;
		window = 0;
		window_end = 0;
		i = 0
	}
}

#if PAGES > 2
#define ALL_WRITTEN    (IS_WRITTEN(0) && IS_WRITTEN(1) && IS_WRITTEN(2))
#define ANY_RESIDENT   (resident[0] || resident[1] || resident[2])
#define ANY(what, how) (what[0] == how || what[1] == how || what[2] == how)
#else
#define ALL_WRITTEN    (IS_WRITTEN(0) && IS_WRITTEN(1))
#define ANY_RESIDENT   (resident[0] || resident[1])
#define ANY(what, how) (what[0] == how || what[1] == how)
#endif
#define FIRST_RESIDENT (resident[0] -> 0 : (resident[1] -> 1 : 2))

/* change_store() and rekey(), a page at a time. */
inline move_page(to, from)
{
	d_step { copy(file[to], file[from]) }
}

inline empty_page(at, what)
{
	d_step {
		file[at].id = what;
		file[at].stores = 0
	}
}

inline invalidate()
{
	changed = true;
#if defined(INSERT)
#if PAGES > 2
	move_page(2, 1);
#endif
	move_page(1, 0);
	empty_page(0, ZERO);
#elif defined(MOVE)
	move_page(1, 0);
	empty_page(0, ZERO);
#else
	move_page(0, 1);
#if PAGES > 2
	move_page(1, 2);
#endif
	empty_page(PAGES - 1, PAST);
#endif
	size = SIZE_AFTER
}

byte attempts; /* of adoption_run() that are under way */

/* adopt_by_path() of size_adoption.c: statx(2) on our own mount; in the kernel,
 * fuse_change_attributes_i(), which takes a smaller size by truncate_pagecache(). */
proctype own_call(byte n)
{
	byte i;

	getattrs[n] = SENT;
	if
	:: atomic { getattrs[n] == INSIDE && told[n] < i_size; i_size = told[n] } ->
		for (i : SIZE_AFTER .. PAGES - 1) {
			folios[i].mapped = false; /* unmap_mapping_range() */
			if
			:: atomic { folios[i].present && !folios[i].locked &&
					!folios[i].writeback; remove_folio(i) }
			:: !folios[i].present
			fi
		}
	:: d_step { getattrs[n] == INSIDE && told[n] >= i_size; i_size = told[n] }
	fi;
	atomic {
		i = 0;
		size_told = true;
		attempts--
	}
}

inline forget_page_locks()
{
#ifdef WITHOUT_R2
	page_locks = false
#else
	skip
#endif
}

/* Invariant I2. What else close_and_chase() looks for again, the pages of plain WRITEs,
 * does not come up here: a program that writes waits for the inode lock. */
#define CACHED(i) (folios[i].present && folios[i].uptodate)
inline check_empty()
{
#if defined(WITHOUT_SECOND_UNMAP) || defined(WITHOUT_GATE)
	skip
#else
	assert(!ANY_RESIDENT && !ANY(reads, INSIDE));
	assert(!CACHED(0) && !CACHED(1));
#if PAGES > 2
	assert(!CACHED(2));
#endif
#if defined(COPIES) && !defined(WITHOUT_FENCE_RULE)
	assert(ALL_WRITTEN) /* I9 */
#endif
#endif
}

/* A round of the chase can be for nothing, if a READ comes between the strike and the
 * drop each time; ROUNDS_MAX of them, and the operation fails. */
#if defined(ENDLESS)
#define MAY_GO_ON    true
#define MUST_GIVE_UP false
#define NEXT_ROUND   skip
#elif defined(ROUNDS)
byte rounds;
#define MAY_GO_ON    (rounds < ROUNDS)
#define MUST_GIVE_UP (rounds == ROUNDS)
#define NEXT_ROUND   rounds++
#else
#define MAY_GO_ON    true
#define MUST_GIVE_UP true /* at any time: that is all numbers at once */
#define NEXT_ROUND   skip
#endif

#ifdef WITHOUT_SECOND_UNMAP
#define SECOND_UNMAP false
#else
#define SECOND_UNMAP true
#endif
/* An open gate lets in whom it has just chased: it would have no end. */
#ifdef WITHOUT_GATE
#define CHASE_TO_THE_END false
#else
#define CHASE_TO_THE_END true
#endif

/* ---------------------------------------------------------------------- the fence */

#ifdef COPIES
#if PAGES > 2
#define FOR_EACH(what) what(0); what(1); what(2)
#define ANY_TRUE(what) (what[0] || what[1] || what[2])
#else
#define FOR_EACH(what) what(0); what(1)
#define ANY_TRUE(what) (what[0] || what[1])
#endif
#define NO_WRITE_INSIDE                                                                \
	(!ANY(writes, INSIDE) && !ANY(writes, WRITTEN) && !ANY_TRUE(leaving))

inline mark_ahead(i)
{
	ahead[i] = writes[i] == SENT
}

inline mark_unknown(i)
{
	unknown[i] = writes[i] == TAKEN
}

/* F2, cl_upper_ops.fence(): fence_pass() of fusefs, sim_fence(). */
inline ask()
{
	do
	:: d_step {
		FOR_EACH(mark_ahead);
		other_ahead = other == SENT;
		unanswered = COUNT(IS_OURS);
		took = 0
	};
	/* The marker is taken, as nobody is before it any more. */
	d_step { !ANY_TRUE(ahead) && !other_ahead; FOR_EACH(mark_unknown) };
#ifndef WITHOUT_F2_TAKEN
	!ANY_TRUE(unknown);
#endif
	if
	:: unanswered + took < MAX_BACKGROUND -> break
#ifdef WITHOUT_F2_QUEUE
	:: else -> break
#else
	:: else
#endif
	fi
	od
}

inline forget_fence()
{
	unanswered = 0;
	took = 0;
	again = false;
	FOR_EACH(forget_unknown)
}

inline forget_unknown(i)
{
	unknown[i] = false
}

#else
#define NO_WRITE_INSIDE (!ANY(writes, INSIDE))
#endif

/* fence_enter_exclusive(); `again`: it has to be done once more. */
inline enter_exclusive()
{
#if defined(COPIES) && !defined(WITHOUT_FENCE)
	stirred = false; /* F1 */
#ifndef WITHOUT_F2
	ask();
#endif
#ifdef WITHOUT_F1
	stirred = false;
#endif
	again = stirred;
#endif
	exclusive = true; /* F3 */
	!ANY(reads, INSIDE) && NO_WRITE_INSIDE;
#if defined(COPIES) && !defined(WITHOUT_FENCE)
#ifndef WITHOUT_F3
	again = stirred; /* F4 */
#endif
#ifdef WITHOUT_F4
	again = false
#endif
#endif
}

/* cl_range_op_run() */
proctype operation()
{
	byte i;
#ifdef COPIES
	byte unanswered;
	bool again;
#endif

#ifdef WITHOUT_R2
	page_locks = true;
#endif
	/* Step 1, unmap: flush_and_unmap(). */
	if
	:: atomic { ANY_RESIDENT; look(0) } -> notify()
	:: else
	fi;
	/* Step 2, close the gate: close_and_chase(). */
#ifndef WITHOUT_GATE
	closed = true;
	!ANY(reads, INSIDE);
#endif
	/* Step 3, chase: sweep(), until nothing is resident when EXCLUSIVE is granted. */
	do
	:: atomic { ANY_RESIDENT && SECOND_UNMAP && MAY_GO_ON; look(FIRST_RESIDENT) } ->
		notify();
		NEXT_ROUND
	:: MUST_GIVE_UP -> goto open_the_gate /* -EBUSY */
	:: !ANY_RESIDENT || !SECOND_UNMAP || !CHASE_TO_THE_END ->
		enter_exclusive();
#ifdef COPIES
		if
		:: atomic { again; exclusive = false; let_all_in(); forget_fence() }
		:: atomic { !again; forget_fence() } -> break
		fi
#else
		break
#endif
	od;
	check_empty();
	/* Step 4: invalidate(). */
	forget_page_locks();
	invalidate();
	/* Step 5: open_gate(), save past a new end. */
open_the_gate:
	forget_page_locks();
	atomic {
		exclusive = false;
#ifndef WITHOUT_ADOPTION
		tail = size < SIZE_BEFORE;
#endif
		closed = false;
		let_all_in()
	}
	/* Step 6, size adoption: unmap_again(), adoption_run(). */
#ifndef WITHOUT_ADOPTION
	if
	:: size != SIZE_BEFORE ->
		atomic {
			attempts = 2;
			run own_call(0);
			run own_call(1)
		}
		attempts == 0;
		atomic {
			tail = false;
			let_all_in()
		}
	:: else
	fi;
#endif
	/* Step 7: reply_status(). */
	returned = true;

	/* And when everybody is through, and the kernel has written its pages back: */
	finished == MAPPERS && !ANY(reads, SENT) && !ANY(reads, INSIDE) &&
		!ANY(reads, WAITING) && ALL_WRITTEN;
	for (i : 0 .. size - 1) {
		atomic {
			if
			:: folios[i].dirty -> start_writeback(i)
			:: else
			fi
		}
		atomic {
			writes[i] == NONE && IS_WRITTEN(i);
			lost = file[i].id != BELONGS(i) ||
			       file[i].stores != made[file[i].id];
			assert(!lost)
		}
	}
}

init {
	atomic {
		byte i;

#ifdef FULL
		other = SENT;
#endif
		for (i : 0 .. PAGES - 1) {
			file[i].id = BEFORE(i)
		}
		for (i : 0 .. MAPPERS - 1) {
			run mapper(i)
		}
		run operation()
	}
}

ltl ends { <>(returned && finished == MAPPERS) }
