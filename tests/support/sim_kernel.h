/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_SIM_KERNEL_H
#define TESTS_SUPPORT_SIM_KERNEL_H

/*
 * A simulated kernel: the page cache of one FUSE inode, and who has it mapped, as Linux
 * 6.18 keeps them, or 6.1 with `temporary_copies`.
 *
 *   sim_folio.c     folios, their locks, taking them out again
 *   sim_fault.c     loads and stores through mappings
 *   sim_io.c        read(2), write(2)
 *   sim_writeback.c WRITEs of dirty folios
 *   sim_queue.c     requests on their way, before 6.16; the daemon's fence
 *   sim_attr.c      sizes: truncate, GETATTR, notifications; the inode lock
 *   sim_daemon.c    the other side: requests as the daemon serves them
 *
 * Below it is the library, called as the daemon calls it: struct cl_upper_ops one way,
 * gate entries with cl_read_begin() and cl_write() the other. What waits in the kernel
 * waits in the scheduler, so each function here is one that tasks can be interleaved in
 * at its points. The task that asks also plays the thread of the daemon that answers.
 * That loses nothing: the daemon's threads never wait for each other (R1).
 *
 * Left out: that memory or the store fails, huge pages, DAX, the kernel's own writeback
 * cache, and everything about names.
 */

#include "flat_file.h"

#define SIM_FOLIOS   512u /* made in one life */
#define SIM_MAPPINGS 16u

struct sim_kernel;
struct sim_write;

/** A background request on its way. */
struct sim_request {
	struct sim_kernel *k;
	struct sim_request *next;
	unsigned number; /* in the order in which they were taken, from 1 */
};

struct sim_queue {
	struct sim_request *first, *last;
};

struct sim_folio {
	uint64_t index; /* of its first page */
	unsigned npages;
	bool attached; /* folio->mapping: it is in the page cache */
	bool locked, uptodate, dirty, writeback;
	unsigned refs; /* of those who look at it, besides the cache */
	uint8_t cells[FLAT_CELLS];
};

/** One page of one mapping: a page of a folio, or a private copy of one. */
struct sim_pte {
	struct sim_folio *folio;
	bool writable;
	bool is_copy;
	uint8_t copy[CELLS_PER_PAGE];
};

/** A mapping of the whole file (struct vm_area_struct). */
struct sim_mapping {
	bool is_private;
	struct sim_pte ptes[FLAT_PAGES];
};

struct sim_config {
	bool temporary_copies;	 /* writeback as before 6.16 */
	unsigned max_background; /* then; 0: more than anybody sends */
	unsigned folio_pages;	 /* of folios that readahead makes: a power of two */
	unsigned readahead;	 /* pages around a fault; 0: none */
	bool daemon_writes_back; /* a write-back cache below */
	bool daemon_writes_past; /* all writes of programs are long ones to it */
};

struct sim_kernel {
	struct sim_config config;
	struct cl_mapping *below;
	struct flat_file *store;

	/* struct address_space, struct inode */
	struct sim_folio *cache[FLAT_PAGES];
	struct sim_folio *folios[SIM_FOLIOS];
	unsigned nfolios;
	unsigned nreadaheads, nwrites; /* tasks */
	struct sim_mapping *mappings[SIM_MAPPINGS];
	unsigned nmappings;
	uint64_t i_size;
	bool inode_lock;

	/* struct fuse_inode */
	uint64_t attr_clock;			  /* fc->attr_version */
	uint64_t attr_version;			  /* fi->attr_version */
	bool size_unstable;			  /* FUSE_I_SIZE_UNSTABLE */
	bool no_write;				  /* FUSE_NOWRITE */
	unsigned writing;			  /* fi->writectr */
	struct sim_write *writepages[FLAT_PAGES]; /* temporary copies on their way */
	struct sim_write *queued_writes;	  /* of them, those kept back */

	/* struct fuse_conn, before 6.16 */
	struct sim_queue background, pending; /* bg_queue; fiq->pending */
	unsigned active_background;

	/* The daemon's. */
	struct sim_daemon {
		uint64_t padded_size; /* READs are padded with zeros up to here */
		uint64_t seen_size;   /* of the store, after our last change of it */
		bool suspect;	      /* somebody else has changed it */
		bool revalidating;
		/* Of background requests: all that were taken; those that are not known
		 * to the gate, and that are not answered. */
		unsigned taken;
		struct sim_request *unknown;
		unsigned unanswered;
		/* How often. */
		unsigned rescued, parked, shorts, cut, flushed, fenced, made_way;
		bool fenced_again; /* in one operation */
	} daemon;

	/* The test's. */
	/** Something is not as it must be at this very moment. Does not return. */
	void (*wrong)(const char *what);
	/** Step 4 of an operation: the store is about to change. May be NULL. */
	void (*at_change)(struct sim_kernel *k, const struct cl_range_op *op);
};

#define SIM_SIGBUS (-1)

/** For cl_mapping_create(), with the kernel as the store. */
extern const struct cl_store_ops sim_store_ops;

/** `below` is set by the caller as soon as there is one. */
void sim_init(struct sim_kernel *k, const struct sim_config *config,
	      struct flat_file *store);
void sim_fini(struct sim_kernel *k);
void sim_map(struct sim_kernel *k, struct sim_mapping *mapping, bool is_private);

/* What programs do. Pages and cells; a cell of a page is 0 to 15. */

/** A load. @return the cell's value, or SIM_SIGBUS */
int sim_load(struct sim_kernel *k, struct sim_mapping *m, unsigned page, unsigned cell);
/** A store of one cell. @return 0 or SIM_SIGBUS */
int sim_store(struct sim_kernel *k, struct sim_mapping *m, unsigned page, unsigned cell,
	      uint8_t value);
/** get_user_pages(FOLL_WRITE): a page that a device is to write to, with a reference,
 *  or NULL. It can be cleaned meanwhile, and is dirty again when the device is through:
 *  without a page_mkwrite(), which would wait for temporary copies. */
struct sim_folio *sim_pin(struct sim_kernel *k, struct sim_mapping *m, unsigned page);
void sim_unpin_dirty(struct sim_folio *folio, unsigned page, unsigned cell,
		     uint8_t value);
/** read(2) of one page. @return how many cells, fewer at the end of the file */
unsigned sim_read(struct sim_kernel *k, unsigned page, uint8_t *cells);
/** write(2) of n cells of one page. */
void sim_write(struct sim_kernel *k, unsigned page, unsigned cell, unsigned n,
	       uint8_t value);
/** msync(2), or the flusher: write what is dirty and wait for it. */
void sim_msync(struct sim_kernel *k, unsigned page, unsigned end);
/** sync_file_range(2): write what is dirty, without a look at anything else. Before
 *  6.16 the WRITEs are on their way when this returns. */
void sim_flush(struct sim_kernel *k, unsigned page, unsigned end);
/** The dropping of what is cached that comes with a direct write. */
void sim_drop(struct sim_kernel *k, unsigned page, unsigned end);
/** Memory is short: every folio that can go at once goes. */
void sim_shrink(struct sim_kernel *k);
/** readahead(2), POSIX_FADV_WILLNEED. */
void sim_readahead(struct sim_kernel *k, unsigned page, unsigned npages);
void sim_truncate(struct sim_kernel *k, unsigned ncells);
/** A control attribute. @return 0 or a negative errno */
int sim_range_op(struct sim_kernel *k, const struct cl_range_op *op);
/** stat(2): the attributes are asked for. @return the size, bytes */
uint64_t sim_stat(struct sim_kernel *k);
/** The last user is gone: what is dirty is written, all folios go. */
void sim_evict(struct sim_kernel *k);

/* Between the files. */

void sim_lock_inode(struct sim_kernel *k);
void sim_unlock_inode(struct sim_kernel *k);

/** The folio of a page, with a reference, or NULL. */
struct sim_folio *sim_find(struct sim_kernel *k, uint64_t page);
/** A new one in the cache, locked and with a reference; NULL if there is one. */
struct sim_folio *sim_add(struct sim_kernel *k, uint64_t page, unsigned npages);
void sim_put(struct sim_folio *folio);
void sim_lock(struct sim_folio *folio);
void sim_unlock(struct sim_folio *folio);
/** Until it is not under writeback; until no temporary copy of it is on its way. */
void sim_wait_writeback(struct sim_kernel *k, struct sim_folio *folio);
void sim_wait_copies(struct sim_kernel *k, const struct sim_folio *folio);
void sim_wait_copies_of(struct sim_kernel *k, uint64_t page, unsigned npages);
/** What was kept back by FUSE_NOWRITE goes. */
void sim_flush_writepages(struct sim_kernel *k);
/** Locked and clean of writeback: write it if it is dirty, and wait for that. */
void sim_launder(struct sim_kernel *k, struct sim_folio *folio);
void sim_unmap(struct sim_kernel *k, uint64_t page, uint64_t end, bool copies_too);
/** @return 0, or -EBUSY if a page could not be dropped */
int sim_invalidate(struct sim_kernel *k, uint64_t page, uint64_t end);
void sim_truncate_pages(struct sim_kernel *k, uint64_t size);
/** Fill a locked folio; it stays locked. */
void sim_fill(struct sim_kernel *k, struct sim_folio *folio);
/** Fill neighbours in the background, and unlock them. Takes over the references. */
void sim_fill_async(struct sim_kernel *k, struct sim_folio **folios, unsigned n);

static inline unsigned sim_pages_up(uint64_t size)
{
	return (unsigned)((size + CL_PAGE_SIZE - 1) >> CL_PAGE_SHIFT);
}

/* Background requests before 6.16; on later kernels all of this does nothing. */

void sim_send(struct sim_kernel *k, struct sim_request *request);
/** Wait for its turn; from then on a thread of the daemon's has it. */
void sim_take(struct sim_kernel *k, struct sim_request *request);
/** It is in the gate, or parked there. */
void sim_known(struct sim_kernel *k, struct sim_request *request);
/** The kernel has got the answer; then, the daemon knows that it has. */
void sim_answer(struct sim_kernel *k, struct sim_request *request);
void sim_answered(struct sim_kernel *k, struct sim_request *request);
int sim_fence(void *upper);

/*
 * Requests, as the daemon serves them. `request` is NULL if it is none of the
 * background. `done` runs before the gate is left: the answer arrives.
 */

/** READ. @return bytes */
size_t sim_daemon_read(struct sim_kernel *k, struct sim_request *request, uint64_t page,
		       unsigned npages, uint8_t *cells, void (*done)(void *arg),
		       void *arg);
/** WRITE; of what the kernel writes back, if there is somebody to be told. */
void sim_daemon_write(struct sim_kernel *k, struct sim_request *request,
		      uint64_t offset, const uint8_t *cells, unsigned ncells,
		      void (*done)(void *arg), void *arg);
/** GETATTR: looks whether somebody has changed the store behind the mount.
 *  @param ret_resized  somebody has, and the kernel should be made to adopt the size */
uint64_t sim_daemon_getattr(struct sim_kernel *k, bool *ret_resized);
uint64_t sim_daemon_resize(struct sim_kernel *k, uint64_t size);
int sim_daemon_range_op(struct sim_kernel *k, const struct cl_range_op *op);

/** What the library and the daemon ask of the kernel: notifications
 *  (fuse_reverse_inval_inode()), the adoption of a size, and before 6.16 the fence. */
const struct cl_upper_ops *sim_upper_ops(const struct sim_kernel *k);

#endif
