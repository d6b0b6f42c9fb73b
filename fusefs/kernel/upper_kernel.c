/* SPDX-License-Identifier: MIT */
/* The kernel's page cache as the library sees it. */

#include "upper_kernel.h"

#include <errno.h>

#include "bulk_flush.h"
#include "fence.h"
#include "kernel_probe.h"
#include "notifier.h"
#include "size_adoption.h"

static void flush(void *upper, struct cl_range range)
{
	const struct upper_kernel *kernel = upper;

	bulk_flush(kernel->inode, range, kernel->pid);
}

static int invalidate(void *upper, struct cl_range range)
{
	const struct upper_kernel *kernel = upper;

	return notifier_invalidate(kernel->inode, range);
}

static void forget_attributes(void *upper)
{
	const struct upper_kernel *kernel = upper;

	/* If the kernel does not know the inode it knows no attributes of it. */
	(void)notifier_forget_attributes(kernel->inode);
}

/* If it cannot be brought about, because somebody holds a directory's lock on the way,
 * it is left to the next fstat(2). */
static int adopt_size(void *upper, uint64_t size)
{
	const struct upper_kernel *kernel = upper;

	(void)size; /* the kernel asks us for it */
	return adoption_run(kernel->inode, kernel->pid) == 0 ? 0 : -EAGAIN;
}

static int find_cached(void *upper, struct cl_range range, uint64_t *ret_offset)
{
	const struct upper_kernel *kernel = upper;

	return kernel_probe_find(kernel->inode, range, ret_offset);
}

static int fence(void *upper)
{
	const struct upper_kernel *kernel = upper;

	return fence_pass(kernel->inode);
}

#define WITHOUT_FENCE                                                                  \
	.flush = flush, .invalidate = invalidate,                                      \
	.forget_attributes = forget_attributes, .adopt_size = adopt_size,              \
	.find_cached = find_cached

static const struct cl_upper_ops without_fence = {WITHOUT_FENCE};
static const struct cl_upper_ops with_fence = {WITHOUT_FENCE, .fence = fence};

const struct cl_upper_ops *upper_kernel_ops(const struct daemon *daemon)
{
	return daemon->needs_fence ? &with_fence : &without_fence;
}
