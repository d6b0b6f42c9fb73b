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
#include "store_file.h"
#include "store_stat.h"

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

/*
 * Overlayfs passes RWF_APPEND on to the file below only since Linux 6.7 (5f034d34737e,
 * "ovl: propagate IOCB_APPEND flag on writes to realfile"): before, the bytes would land
 * at the offset.
 * O_APPEND it has always passed on. So there a descriptor is opened for the append; where
 * none can be had, and on whatever other store does not know the flag, the offset is the
 * end as it was just now.
 */
static int open_to_append(struct inode *inode)
{
	int fd;

	if (inode->appends == APPENDS_UNKNOWN)
		inode->appends = store_is_overlayfs(inode->store_write_fd)
					 ? APPENDS_BY_DESCRIPTOR
					 : APPENDS_BY_FLAG;
	if (inode->appends == APPENDS_BY_FLAG)
		return -1;
	credentials_pause();
	fd = store_open_to_append(inode);
	if (credentials_resume() == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -ENOMEM;
}

/* procfs and the like take no flags; nobody appends to those but us. */
static ssize_t append_at(int fd, const void *buf, size_t len, off_t end)
{
	const struct iovec iov = {(void *)(uintptr_t)buf, len};
	const ssize_t n = fault_append(fd, buf, len, end);

	return n < 0 && errno == EOPNOTSUPP ? fault_pwritev(fd, &iov, 1, end) : n;
}

static ssize_t append_some(int fd, const void *buf, size_t len)
{
	struct stat attr;
	ssize_t n;

	do
		n = fstat(fd, &attr) < 0 ? -1 : append_at(fd, buf, len, attr.st_size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* What there is no room for is tried once more: see freed_room.h. */
static ssize_t append_or_again(struct inode *inode, int fd, const void *buf, size_t len)
{
	const uint64_t gone = freed_room_count();
	const ssize_t n = append_some(fd, buf, len);

	return freed_room_came(inode->dev, gone, n) ? append_some(fd, buf, len) : n;
}

ssize_t inode_store_append(struct inode *inode, const void *buf, size_t len,
			   uint64_t *ret_at)
{
	const int fd = inode->store_write_fd;
	struct stat attr;
	uint64_t end = 0;
	int append_fd;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	append_fd = open_to_append(inode);
	if (append_fd == -ENOMEM)
		return -ENOMEM;
	change_begin(inode);
	n = append_or_again(inode, append_fd >= 0 ? append_fd : fd, buf, len);
	if (append_fd >= 0)
		close(append_fd);
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
