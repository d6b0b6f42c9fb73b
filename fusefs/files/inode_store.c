/* SPDX-License-Identifier: MIT */
/*
 * Store input and output: the library's calls on the store's file of an inode.
 *
 * Page locks may be held, so nothing here waits for more than the store. A write is a
 * change of ours and says so to the change guard. If nobody's rights have been taken
 * for it (pages are written back), it is for the account of the file's owner: blocks
 * that the store keeps for root are not for everybody who maps a file.
 */

#include "inode_store.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "fault_point.h"
#include "freed_room.h"
#include "inode_table.h"
#include "serving.h"

static int iov_part(int iovcnt)
{
	return iovcnt < IOV_MAX ? iovcnt : IOV_MAX;
}

/*
 * What the store has in memory, at once. Otherwise, and where a store cannot tell,
 * another thread is to look for requests while this one waits.
 * @return bytes, or -1
 */
static ssize_t read_at_once(int fd, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	ssize_t n = -1;

	if (!FAULT_POINTS)
		n = preadv2(fd, iov, iov_part(iovcnt), (off_t)offset, RWF_NOWAIT);
	if (n < 0 && errno == EAGAIN)
		serving_will_wait();
	return n;
}

static ssize_t store_preadv(void *store, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	struct inode *inode = store;
	const int fd = inode->store_fd;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	n = read_at_once(fd, iov, iovcnt, offset);
	if (n >= 0)
		return n;
	do
		n = fault_preadv(fd, iov, iov_part(iovcnt), (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* What there is no room for is tried once more: see freed_room.h. */
static ssize_t write_some(int fd, const struct iovec *iov, int iovcnt, uint64_t offset)
{
	ssize_t n;

	do
		n = fault_pwritev(fd, iov, iov_part(iovcnt), (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* A store that takes nothing and gives no reason. */
	return n == 0 ? -EIO : n;
}

static ssize_t store_pwritev(void *store, const struct iovec *iov, int iovcnt,
			     uint64_t offset)
{
	const uint64_t gone = freed_room_count();
	struct inode *inode = store;
	const int fd = inode->store_write_fd;
	bool taken;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	/* It would not go there. */
	if (inode->store_appends)
		return -EPERM;
	change_begin(inode);
	taken = credentials_enter_owner(inode);
	n = write_some(fd, iov, iovcnt, offset);
	if (freed_room_came(inode->dev, gone, n))
		n = write_some(fd, iov, iovcnt, offset);
	if (taken)
		credentials_leave();
	change_end_reaching(inode, n > 0 ? offset + (uint64_t)n : 0);
	atomic_fetch_add_explicit(&inode->daemon->store_writes, 1,
				  memory_order_relaxed);
	return n;
}

/* procfs and the like take no flags; nobody appends to those but us. */
static ssize_t append_at_end(int fd, const void *buf, size_t len)
{
	const struct iovec iov = {(void *)(uintptr_t)buf, len};
	struct stat attr;

	return fstat(fd, &attr) < 0 ? -1 : fault_pwritev(fd, &iov, 1, attr.st_size);
}

static ssize_t append_some(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = fault_append(fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EOPNOTSUPP)
		n = append_at_end(fd, buf, len);
	return n < 0 ? -errno : n;
}

ssize_t inode_store_append(struct inode *inode, const void *buf, size_t len,
			   uint64_t *ret_at)
{
	const uint64_t gone = freed_room_count();
	const int fd = inode->store_write_fd;
	struct stat attr;
	uint64_t end = 0;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	change_begin(inode);
	n = append_some(fd, buf, len);
	if (freed_room_came(inode->dev, gone, n))
		n = append_some(fd, buf, len);
	/* If somebody else has appended since, this is further on, and so not where
	 * anybody thinks: which is as true. */
	if (n >= 0 && (fstat(fd, &attr) < 0 || attr.st_size < n))
		*ret_at = 0;
	else if (n >= 0)
		*ret_at = (end = (uint64_t)attr.st_size) - (uint64_t)n;
	change_end_reaching(inode, end);
	return n;
}

int inode_store_fd(struct inode *inode)
{
	const int write_fd = inode->store_write_fd;

	return write_fd >= 0 ? write_fd : inode->store_fd;
}

static int store_sync(void *store, bool data_only)
{
	struct inode *inode = store;
	const int fd = inode_store_fd(inode);
	int status;

	if (fd < 0)
		return -EBADF;
	do
		status = data_only ? fault_fdatasync(fd) : fault_fsync(fd);
	while (status < 0 && errno == EINTR);
	return status < 0 ? -errno : 0;
}

const struct cl_store_ops inode_store_ops = {
	.preadv = store_preadv,
	.pwritev = store_pwritev,
	.sync = store_sync,
};
