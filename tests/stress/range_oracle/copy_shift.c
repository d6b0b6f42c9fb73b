/* SPDX-License-Identifier: MIT */

#include "copy_shift.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page.h"

static int copy_page(int fd, uint32_t from, uint32_t to)
{
	uint64_t page[PAGE_WORDS];

	if (pread(fd, page, sizeof(page), (off_t)from * ORACLE_PAGE_SIZE) !=
		    sizeof(page) ||
	    pwrite(fd, page, sizeof(page), (off_t)to * ORACLE_PAGE_SIZE) !=
		    sizeof(page))
		return -1;
	return 0;
}

static int zero_pages(int fd, uint32_t at, uint32_t len)
{
	static const uint64_t zeros[PAGE_WORDS];

	for (uint32_t i = at; i < at + len; i++)
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)i * ORACLE_PAGE_SIZE) !=
		    sizeof(zeros))
			return -1;
	return 0;
}

static int collapse(int fd, uint32_t at, uint32_t len, uint32_t npages)
{
	for (uint32_t i = at + len; i < npages; i++)
		if (copy_page(fd, i, i - len) < 0)
			return -1;
	return ftruncate(fd, (off_t)(npages - len) * ORACLE_PAGE_SIZE);
}

static int insert(int fd, uint32_t at, uint32_t len, uint32_t npages)
{
	if (ftruncate(fd, (off_t)(npages + len) * ORACLE_PAGE_SIZE) < 0)
		return -1;
	for (uint32_t i = npages; i > at; i--)
		if (copy_page(fd, i - 1, i - 1 + len) < 0)
			return -1;
	return zero_pages(fd, at, len);
}

int copy_shift(int fd, struct op op)
{
	struct stat st;
	uint32_t npages;

	if (fstat(fd, &st) < 0)
		return -1;
	npages = (uint32_t)(st.st_size / ORACLE_PAGE_SIZE);
	switch (op.kind) {
	case OP_COLLAPSE:
		return collapse(fd, op.at, op.len, npages);
	case OP_INSERT:
		return insert(fd, op.at, op.len, npages);
	case OP_PUNCH:
	case OP_ZERO:
		return zero_pages(fd, op.at, op.len);
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}
