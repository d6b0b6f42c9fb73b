/* SPDX-License-Identifier: MIT */
/*
 * Forgotten inodes: a bounded cache of the store's file handles, oldest out first.
 */

#include "forgotten.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu/list.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store_stat.h"

/* 64 Ki handles of some 100 bytes: below 10 MiB. */
#define FORGOTTEN_MAX 65536
#define BUCKETS	      16384

/* Who it was. Nothing is held of it any more, so the birth time tells a number that is
 * used again. */
struct forgotten_key {
	dev_t dev;
	ino_t ino;
	int64_t birth_ns;
};

struct forgotten_handle {
	struct forgotten_key key;
	fuse_ino_t nodeid;
	struct cds_hlist_node by_key, by_nodeid;
	struct cds_list_head by_age;
	/* Last: its bytes follow. */
	struct file_handle handle;
};

struct forgotten {
	/* Set once. */
	int mount_fd; /* of the source: says which file system a handle is of */
	dev_t dev;
	uint64_t mount; /* by which it opens */

	/* Guarded by the inode table's lock. */
	size_t count;
	struct cds_list_head by_age; /* oldest first */
	struct cds_hlist_head by_key[BUCKETS];
	struct cds_hlist_head by_nodeid[BUCKETS];
};

static struct forgotten_key key_of(const struct inode *inode)
{
	/* No padding: the key is hashed as bytes. */
	_Static_assert(sizeof(struct forgotten_key) == 24, "the key has holes");

	return (struct forgotten_key){inode->dev, inode->ino, inode->birth_ns};
}

static size_t key_bucket(const struct forgotten_key *key)
{
	return XXH3_64bits(key, sizeof(*key)) % BUCKETS;
}

static size_t nodeid_bucket(fuse_ino_t nodeid)
{
	return XXH3_64bits(&nodeid, sizeof(nodeid)) % BUCKETS;
}

static size_t handle_bytes(size_t payload)
{
	return sizeof(struct forgotten_handle) + payload;
}

/* With room for the largest handle there is; NULL if there is none. */
static struct forgotten_handle *get_handle(int fd)
{
	struct forgotten_handle *handle = calloc(1, handle_bytes(MAX_HANDLE_SZ));
	int mount_id;

	if (!handle)
		return NULL;
	handle->handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", &handle->handle, &mount_id, AT_EMPTY_PATH) < 0) {
		free(handle);
		return NULL;
	}
	return handle;
}

int forgotten_create(struct daemon *daemon, struct forgotten **ret_forgotten)
{
	struct forgotten *forgotten = calloc(1, sizeof(*forgotten));
	struct forgotten_handle *probe;
	struct store_id id;
	int fd;

	if (!forgotten)
		return -ENOMEM;
	CDS_INIT_LIST_HEAD(&forgotten->by_age);
	if (store_identify(daemon->source_fd, "", &id) < 0)
		goto refused;
	forgotten->dev = id.dev;
	forgotten->mount = id.mount;
	/* Not O_PATH: open_by_handle_at() refuses those. */
	forgotten->mount_fd =
		openat(daemon->proc_fd_dir, fd_name(daemon->source_fd).text,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (forgotten->mount_fd < 0)
		goto refused;
	/* Can it be done at all? The root stands for every file. */
	probe = get_handle(daemon->source_fd);
	if (!probe)
		goto refused;
	fd = forgotten_open(forgotten, probe);
	if (fd < 0)
		goto refused;
	close(fd);
	*ret_forgotten = forgotten;
	return 0;
refused:
	forgotten_free(forgotten);
	return -EPERM;
}

void forgotten_free(struct forgotten *forgotten)
{
	struct forgotten_handle *handle, *next;

	if (!forgotten)
		return;
	cds_list_for_each_entry_safe(handle, next, &forgotten->by_age, by_age)
		free(handle);
	if (forgotten->mount_fd >= 0)
		close(forgotten->mount_fd);
	free(forgotten);
}

struct forgotten_handle *forgotten_prepare(struct forgotten *forgotten,
					   const struct inode *inode)
{
	struct forgotten_handle *handle, *smaller;

	/* A handle is of one file system, and is opened by one mount of it. Without a birth
	 * time a number that is used again could not be told from the old one. */
	if (!forgotten || inode->dev != forgotten->dev ||
	    inode->mount != forgotten->mount || !inode->birth_ns ||
	    atomic_load(&inode->unlinked))
		return NULL;
	handle = get_handle(inode->fd);
	if (!handle)
		return NULL;
	handle->key = key_of(inode);
	handle->nodeid = inode->nodeid;
	smaller = realloc(handle, handle_bytes(handle->handle.handle_bytes));
	return smaller ? smaller : handle;
}

void forgotten_discard(struct forgotten_handle *handle)
{
	free(handle);
}

static void remove_handle(struct forgotten *forgotten, struct forgotten_handle *handle)
{
	cds_hlist_del(&handle->by_key);
	cds_hlist_del(&handle->by_nodeid);
	cds_list_del(&handle->by_age);
	forgotten->count--;
	free(handle);
}

fuse_ino_t forgotten_add(struct forgotten *forgotten, struct forgotten_handle *handle)
{
	fuse_ino_t given_up = 0;

	if (forgotten->count >= FORGOTTEN_MAX) {
		struct forgotten_handle *oldest = cds_list_first_entry(
			&forgotten->by_age, struct forgotten_handle, by_age);

		given_up = oldest->nodeid;
		remove_handle(forgotten, oldest);
	}
	cds_hlist_add_head(&handle->by_key,
			   &forgotten->by_key[key_bucket(&handle->key)]);
	cds_hlist_add_head(&handle->by_nodeid,
			   &forgotten->by_nodeid[nodeid_bucket(handle->nodeid)]);
	cds_list_add_tail(&handle->by_age, &forgotten->by_age);
	forgotten->count++;
	return given_up;
}

fuse_ino_t forgotten_take(struct forgotten *forgotten, const struct inode *inode)
{
	const struct forgotten_key key = key_of(inode);
	struct forgotten_handle *handle;
	fuse_ino_t nodeid;

	if (inode->mount != forgotten->mount)
		return 0;
	cds_hlist_for_each_entry_2(handle, &forgotten->by_key[key_bucket(&key)],
				   by_key) {
		if (memcmp(&handle->key, &key, sizeof(key)) != 0)
			continue;
		nodeid = handle->nodeid;
		remove_handle(forgotten, handle);
		return nodeid;
	}
	return 0;
}

struct forgotten_handle *forgotten_copy(struct forgotten *forgotten, fuse_ino_t nodeid)
{
	struct forgotten_handle *handle, *copy;
	size_t size;

	cds_hlist_for_each_entry_2(handle, &forgotten->by_nodeid[nodeid_bucket(nodeid)],
				   by_nodeid) {
		if (handle->nodeid != nodeid)
			continue;
		size = handle_bytes(handle->handle.handle_bytes);
		copy = malloc(size);
		if (copy)
			memcpy(copy, handle, size);
		return copy;
	}
	return NULL;
}

int forgotten_open(struct forgotten *forgotten, struct forgotten_handle *handle)
{
	int fd = open_by_handle_at(forgotten->mount_fd, &handle->handle,
				   O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const int status = fd < 0 ? -errno : fd;

	free(handle);
	return status;
}
