/* SPDX-License-Identifier: MIT */
/*
 * Sizes, notifications, and the inode lock.
 */

#include <errno.h>
#include <stdlib.h>

#include "scheduler.h"
#include "sim_kernel.h"

/* Anybody who changes the file meanwhile can make the kernel ignore one answer. */
#define ADOPTION_ATTEMPTS 8

static bool is_free(const void *arg)
{
	return !((const struct sim_kernel *)arg)->inode_lock;
}

/* inode_lock() */
void sim_lock_inode(struct sim_kernel *k)
{
	sched_wait("the inode lock", is_free, k);
	k->inode_lock = true;
}

void sim_unlock_inode(struct sim_kernel *k)
{
	k->inode_lock = false;
}

/* ------------------------------------------------------------------------ sizes */

/** fuse_change_attributes(), up to the size. @return whether the answer counts */
static bool take_size(struct sim_kernel *k, uint64_t size, uint64_t attr_version,
		      uint64_t *ret_old)
{
	if (k->attr_version > attr_version || k->size_unstable)
		return false;
	k->attr_version = ++k->attr_clock;
	*ret_old = k->i_size;
	k->i_size = size;
	return true;
}

/* The daemon's adoption of a size (fusefs/kernel/size_adoption.c): a GETATTR of its own, and
 * another one that finds the size in place while the first may still be truncating. */
static int adopt_size(void *upper, uint64_t size)
{
	struct sim_kernel *k = upper;

	(void)size;
	for (int i = 0; i < ADOPTION_ATTEMPTS; i++) {
		const uint64_t attr_version = k->attr_clock;
		const uint64_t asked = flat_size(k->store);
		uint64_t old;

		sched_point("getattr_answered");
		if (!take_size(k, asked, attr_version, &old))
			continue;
		sched_point("size_taken");
		cl_size_told(k->below);
		if (old != asked)
			sim_truncate_pages(k, asked);
		k->daemon.padded_size = 0;
		return 0;
	}
	return -EAGAIN;
}

uint64_t sim_stat(struct sim_kernel *k)
{
	const uint64_t attr_version = k->attr_clock;
	bool resized;
	const uint64_t size = sim_daemon_getattr(k, &resized);
	uint64_t old;

	sched_point("getattr_answered");
	if (take_size(k, size, attr_version, &old) && old != size)
		sim_truncate_pages(k, size);
	if (resized)
		(void)adopt_size(k, size);
	return k->i_size;
}

static bool nobody_writes(const void *arg)
{
	return ((const struct sim_kernel *)arg)->writing == 0;
}

/* fuse_do_setattr() */
void sim_truncate(struct sim_kernel *k, unsigned ncells)
{
	uint64_t size, old;

	sim_lock_inode(k);
	k->no_write = true; /* fuse_set_nowrite() */
	sched_wait("writes to end", nobody_writes, k);
	k->size_unstable = true;
	size = sim_daemon_resize(k, (uint64_t)ncells * CELL_SIZE);
	sched_point("setattr_answered");
	old = k->i_size;
	k->attr_version = ++k->attr_clock;
	k->i_size = size;
	k->no_write = false;
	sim_flush_writepages(k);
	if (old != size) {
		sim_truncate_pages(k, size);
		(void)sim_invalidate(k, 0, FLAT_PAGES);
	}
	k->size_unstable = false;
	sim_unlock_inode(k);
}

int sim_range_op(struct sim_kernel *k, const struct cl_range_op *op)
{
	int ret;

	sim_lock_inode(k); /* vfs_setxattr() */
	ret = sim_daemon_range_op(k, op);
	sim_unlock_inode(k);
	return ret;
}

void sim_evict(struct sim_kernel *k)
{
	sim_msync(k, 0, FLAT_PAGES); /* fuse_vma_close(), fuse_flush() */
	sim_unmap(k, 0, FLAT_PAGES, true);
	sim_truncate_pages(k, 0); /* truncate_inode_pages_final() */
}

/* ---------------------------------------------------------------- notifications */

static unsigned end_page(struct cl_range range)
{
	return range.end == CL_RANGE_EOF
		       ? FLAT_PAGES
		       : (unsigned)((range.end + CL_PAGE_SIZE - 1) >> CL_PAGE_SHIFT);
}

static void flush(void *upper, struct cl_range range)
{
	struct sim_kernel *k = upper;

	k->daemon.flushed++;
	sim_flush(k, (unsigned)(range.start >> CL_PAGE_SHIFT), end_page(range));
}

/* fuse_reverse_inval_inode(): it throws the result away */
static int invalidate(void *upper, struct cl_range range)
{
	struct sim_kernel *k = upper;

	k->attr_version = ++k->attr_clock;
	(void)sim_invalidate(k, range.start >> CL_PAGE_SHIFT, end_page(range));
	return 0;
}

static void forget_attributes(void *upper)
{
	struct sim_kernel *k = upper;

	k->attr_version = ++k->attr_clock;
}

static int find_cached(void *upper, struct cl_range range, uint64_t *ret_offset)
{
	const struct sim_kernel *k = upper;

	for (uint64_t page = range.start >> CL_PAGE_SHIFT;
	     page < FLAT_PAGES && page << CL_PAGE_SHIFT < range.end; page++)
		if (k->cache[page]) {
			*ret_offset = page << CL_PAGE_SHIFT;
			return 1;
		}
	return 0;
}

const struct cl_upper_ops *sim_upper_ops(const struct sim_kernel *k)
{
	static const struct cl_upper_ops plain = {
		.flush = flush,
		.invalidate = invalidate,
		.forget_attributes = forget_attributes,
		.adopt_size = adopt_size,
		.find_cached = find_cached,
	};
	static const struct cl_upper_ops before_6_16 = {
		.flush = flush,
		.invalidate = invalidate,
		.fence = sim_fence,
		.forget_attributes = forget_attributes,
		.adopt_size = adopt_size,
		.find_cached = find_cached,
	};

	return k->config.temporary_copies ? &before_6_16 : &plain;
}
