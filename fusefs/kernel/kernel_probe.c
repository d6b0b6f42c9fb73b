/* SPDX-License-Identifier: MIT */
/* Looking what the kernel has cached. */

#include "kernel_probe.h"

#include <errno.h>

#include "kernel_question.h"

#define WAIT_NS ((uint64_t)1000000000)

/** @return 1 if the kernel has the page at this offset, 0 if not, or a negative errno
 */
static int has_page(struct inode *inode, uint64_t offset)
{
	const ssize_t bytes =
		kernel_ask(inode, offset, CL_PAGE_SIZE, inode_clock_ns() + WAIT_NS);

	if (bytes < 0)
		return bytes == -ENOENT ? 0 : (int)bytes;
	return bytes > 0;
}

int kernel_probe_find(struct inode *inode, struct cl_range range, uint64_t *ret_offset)
{
	const uint64_t size = cl_mapping_size(inode->mapping);
	uint64_t pages, step;

	if (range.end > size)
		range.end = size;
	if (range.start >= range.end)
		return 0;
	pages = (range.end - range.start + CL_PAGE_SIZE - 1) / CL_PAGE_SIZE;
	step = (pages + KERNEL_PROBE_PAGES_MAX - 1) / KERNEL_PROBE_PAGES_MAX *
	       CL_PAGE_SIZE;
	for (uint64_t offset = range.start; offset < range.end; offset += step) {
		const int status = has_page(inode, offset);

		if (status == 1)
			*ret_offset = offset;
		if (status != 0)
			return status;
	}
	return 0;
}
