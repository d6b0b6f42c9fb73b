/* SPDX-License-Identifier: MIT */
/* The kernel's page cache as the library sees it. */

#include "upper_kernel.h"

#include <errno.h>

#include "notifier.h"
#include "size_adoption.h"

static int invalidate(void *upper, struct cl_range range)
{
	return notifier_invalidate(upper, range);
}

static void forget_attributes(void *upper)
{
	/* If the kernel does not know the inode it knows no attributes of it. */
	(void)notifier_forget_attributes(upper);
}

/* A file without a path on the mount is left to the fstat(2) of whoever has it open; so
 * is one whose path cannot be walked now, because somebody holds a directory's lock. */
static int adopt_size(void *upper, uint64_t size)
{
	(void)size; /* the kernel asks us for it */
	return adoption_run(upper) == 0 ? 0 : -EAGAIN;
}

const struct cl_upper_ops upper_kernel_ops = {
	.invalidate = invalidate,
	.forget_attributes = forget_attributes,
	.adopt_size = adopt_size,
};
