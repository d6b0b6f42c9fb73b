/* SPDX-License-Identifier: MIT */
/*
 * Inode table: one inode per file that the kernel knows, found by nodeid or by number.
 *
 * By nodeid, on every request, without a lock (nodeid_table.c). By number, on lookups,
 * under the table's one lock, which is held for a few memory accesses and never across
 * a system call; whether it is the same file is identity.c's to say. References are
 * counted without the lock as long as others are left; the last one is dropped under it,
 * and what is found by number gets its reference under it, too: so an inode that is found
 * cannot be one that is going away.
 */

#include "inode_table.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "automount.h"
#include "fd_pressure.h"
#include "forgotten.h"
#include "freed_room.h"
#include "identity.h"
#include "inode_table_internal.h"
#include "log.h"
#include "nodeid_table.h"
#include "store_stat.h"

#define FIRST_BUCKETS 1024

/* ---------------------------------------------------------- the hash by number */

static struct cds_hlist_head *bucket_of(struct inode_table *table, dev_t dev, ino_t ino)
{
	const uint64_t both[2] = {dev, ino};

	return &table->buckets[XXH3_64bits(both, sizeof(both)) &
			       (table->bucket_count - 1)];
}

static void hash_number(struct inode_table *table, struct inode *inode)
{
	cds_hlist_add_head(&inode->node, bucket_of(table, inode->dev, inode->ino));
}

struct inode *inode_table_next(struct inode_table *table, const struct store_id *id,
			       const struct inode *after)
{
	struct cds_hlist_node *node =
		after ? after->node.next : bucket_of(table, id->dev, id->ino)->next;
	struct inode *inode;

	for (; node; node = node->next) {
		inode = cds_hlist_entry(node, struct inode, node);
		if (inode->dev == id->dev && inode->ino == id->ino)
			return inode;
	}
	return NULL;
}

void inode_table_renumber(struct inode_table *table, struct inode *inode,
			  const struct store_id *id)
{
	inode->birth_ns = id->birth_ns;
	if (inode->dev == id->dev && inode->ino == id->ino)
		return;
	cds_hlist_del(&inode->node);
	inode->dev = id->dev;
	inode->ino = id->ino;
	hash_number(table, inode);
	table->version++;
}

/* Twice the buckets; without memory for them chains get longer, that is all.
 * Required: lock. */
static void grow_buckets(struct inode_table *table)
{
	struct cds_hlist_head *old = table->buckets;
	const size_t old_count = table->bucket_count;
	struct cds_hlist_head *buckets = calloc(old_count * 2, sizeof(*buckets));
	struct cds_hlist_head *names = calloc(old_count * 2, sizeof(*names));
	struct inode *inode, *next;

	if (!buckets || !names) {
		free(buckets);
		free(names);
		return;
	}
	free(table->name_buckets);
	table->buckets = buckets;
	table->name_buckets = names;
	table->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		cds_hlist_for_each_entry_safe_2(inode, next, &old[i], node)
		{
			hash_number(table, inode);
			inode_hash_name(table, inode);
		}
	}
	free(old);
}

/* -------------------------------------------------------------------- inodes */

/* Out of sight of everybody. */
static void inode_free(struct inode *inode)
{
	/* It may have got a name again since it was expected to go. */
	const bool frees_room =
		atomic_load(&inode->unlinked) || freed_room_owed(&inode->leaving);

	if (frees_room)
		freed_room_closing(&inode->leaving, inode->dev);
	inode->daemon->inodes->hooks->fini(inode);
	close(inode->fd);
	if (frees_room)
		freed_room_gone(&inode->leaving);
	free(inode->name);
	free(inode);
}

/* Not yet in the table, with one reference. fd is the inode's on success. */
static struct inode *inode_create(struct daemon *daemon, int fd,
				  const struct store_id *id)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->daemon = daemon;
	inode->dev = id->dev;
	inode->ino = id->ino;
	inode->birth_ns = id->birth_ns;
	inode->mount = id->mount;
	inode->automount = automount_is(daemon, fd, id);
	inode->unsized = S_ISREG(id->mode) && id->no_blocks && store_is_unsized(fd);
	inode->type = id->mode & S_IFMT;
	atomic_init(&inode->mode, id->mode);
	atomic_init(&inode->refs, 1);
	inode->fd = fd;
	daemon->inodes->hooks->init(inode);
	return inode;
}

/* Give a new inode its nodeid, the one it had if it was forgotten. Required: lock. */
static int insert(struct inode_table *table, struct inode *inode)
{
	fuse_ino_t nodeid = 0;
	int status;

	if (table->forgotten)
		nodeid = forgotten_take(table->forgotten, inode);
	if (!nodeid) {
		status = nodeid_take(table->nodeids, &nodeid);
		if (status < 0)
			return status;
	}
	inode->nodeid = nodeid;
	inode->generation = nodeid == FUSE_ROOT_ID ? 0 : table->generation;
	if (table->inode_count >= table->bucket_count)
		grow_buckets(table);
	hash_number(table, inode);
	table->inode_count++;
	table->version++;
	nodeid_set(table->nodeids, nodeid, inode);
	return 0;
}

/* Insert, unless somebody else has been faster since the table had this version.
 * @return 0; -EAGAIN: he may have put in the same file; -ENOMEM; -ENFILE */
static int insert_unless_there(struct inode_table *table, struct inode *inode,
			       const struct store_id *id, uint64_t version,
			       fuse_ino_t parent, const char *name)
{
	int status = -EAGAIN;

	pthread_mutex_lock(&table->lock);
	if (table->version == version || !inode_table_next(table, id, NULL))
		status = insert(table, inode);
	if (status == 0)
		inode_set_name(table, inode, parent, name);
	pthread_mutex_unlock(&table->lock);
	return status;
}

/* A new inode for a file that was not there when the table had this version, or the one
 * that somebody else has put in since. fd is consumed. */
static int add(struct daemon *daemon, int fd, const struct store_id *id,
	       uint64_t version, fuse_ino_t parent, const char *name,
	       struct inode **ret_inode)
{
	struct inode *fresh = inode_create(daemon, fd, id), *known = NULL;
	int status;

	if (!fresh) {
		close(fd);
		return -ENOMEM;
	}
	fd_pressure_note(daemon, fd);
	while ((status = insert_unless_there(daemon->inodes, fresh, id, version, parent,
					     name)) == -EAGAIN) {
		known = identity_find(daemon, fd, id, parent, name, &version);
		if (known)
			break;
	}
	if (status < 0)
		inode_free(fresh);
	else
		known = fresh;
	if (known)
		*ret_inode = known;
	return known ? 0 : status;
}

int inode_table_find_or_add(struct daemon *daemon, int fd, fuse_ino_t parent,
			    const char *name, struct inode **ret_inode,
			    struct stat *ret_attr)
{
	struct inode *inode;
	struct store_id id;
	struct stat attr;
	uint64_t version;
	int status;

	status = store_stat(daemon, fd, &id, &attr);
	if (status < 0) {
		close(fd);
		return status;
	}
	inode = identity_find(daemon, fd, &id, parent, name, &version);
	if (inode) {
		close(fd);
		/* Known, so the page cache may know better than the store. */
		status = inode_stat(inode, &attr);
		if (status < 0) {
			inode_put(inode, 1);
			return status;
		}
	} else {
		status = add(daemon, fd, &id, version, parent, name, &inode);
		if (status < 0)
			return status;
	}
	inode_mark_used(inode);
	*ret_inode = inode;
	*ret_attr = attr;
	return 0;
}

struct inode *inode_table_find_id(struct daemon *daemon, const struct store_id *id,
				  fuse_ino_t parent, const char *name)
{
	struct inode_table *table = daemon->inodes;
	struct inode *inode = NULL;

	pthread_mutex_lock(&table->lock);
	do
		inode = inode_table_next(table, id, inode);
	while (inode && !identity_is_plain(inode, id));
	if (inode) {
		inode_get(inode);
		if (parent)
			inode_set_name(table, inode, parent, name);
	}
	pthread_mutex_unlock(&table->lock);
	if (inode)
		inode_mark_used(inode);
	return inode;
}

struct inode *inode_of(struct daemon *daemon, fuse_ino_t nodeid)
{
	struct inode *inode = nodeid_find(daemon->inodes->nodeids, nodeid);

	if (!inode) {
		log_msg(LOG_CRIT,
			"the kernel asks for nodeid %#llx, which it has forgotten: this "
			"is an error in foldfs",
			(unsigned long long)nodeid);
		abort();
	}
	inode_mark_used(inode);
	return inode;
}

/* ---------------------------------------------------------------- references */

void inode_get(struct inode *inode)
{
	atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
}

/* Required: lock; no reference is left. */
static void take_out(struct inode_table *table, struct inode *inode,
		     struct forgotten_handle *handle)
{
	fuse_ino_t given_up = inode->nodeid;

	cds_hlist_del(&inode->node);
	inode_set_name(table, inode, 0, NULL);
	table->inode_count--;
	nodeid_set(table->nodeids, inode->nodeid, NULL);
	/* As long as the handle is remembered the nodeid is not used for others. */
	if (handle)
		given_up = forgotten_add(table->forgotten, handle);
	if (given_up)
		nodeid_release(table->nodeids, given_up);
}

bool inode_get_unless_zero(struct inode *inode)
{
	uint64_t refs = atomic_load(&inode->refs);

	while (refs > 0)
		if (atomic_compare_exchange_weak(&inode->refs, &refs, refs + 1))
			return true;
	return false;
}

void inode_put(struct inode *inode, uint64_t n)
{
	struct inode_table *table = inode->daemon->inodes;
	struct forgotten_handle *handle;
	uint64_t refs = atomic_load_explicit(&inode->refs, memory_order_relaxed);

	while (refs > n)
		if (atomic_compare_exchange_weak_explicit(&inode->refs, &refs, refs - n,
							  memory_order_release,
							  memory_order_relaxed))
			return;

	handle = forgotten_prepare(table->forgotten, inode);
	pthread_mutex_lock(&table->lock);
	refs = atomic_fetch_sub_explicit(&inode->refs, n, memory_order_acq_rel);
	assert(refs >= n);
	if (refs > n) {
		pthread_mutex_unlock(&table->lock);
		forgotten_discard(handle);
		return;
	}
	take_out(table, inode, handle);
	pthread_mutex_unlock(&table->lock);
	inode_free(inode);
}

/* The inode with a nodeid if it is in the table, with a reference; otherwise the
 * handle to open it with, if that is remembered. */
static struct inode *find_nodeid(struct inode_table *table, fuse_ino_t nodeid,
				 struct forgotten_handle **ret_handle)
{
	struct inode *inode;

	*ret_handle = NULL;
	pthread_mutex_lock(&table->lock);
	inode = nodeid_find(table->nodeids, nodeid);
	if (inode)
		inode_get(inode);
	else if (table->forgotten)
		*ret_handle = forgotten_copy(table->forgotten, nodeid);
	pthread_mutex_unlock(&table->lock);
	return inode;
}

int inode_table_revive(struct daemon *daemon, fuse_ino_t nodeid,
		       struct inode **ret_inode)
{
	struct inode_table *table = daemon->inodes;
	struct forgotten_handle *handle;
	struct inode *inode;
	struct stat attr;
	int status;

	inode = find_nodeid(table, nodeid, &handle);
	if (!inode) {
		if (!handle)
			return -ESTALE;
		status = forgotten_open(table->forgotten, handle);
		if (status >= 0)
			status = inode_table_find_or_add(daemon, status, 0, NULL,
							 &inode, &attr);
		if (status < 0)
			return status;
		/* Somebody looked it up just when it was being forgotten: it has
		 * another nodeid now. */
		if (inode->nodeid != nodeid) {
			inode_put(inode, 1);
			return -ESTALE;
		}
	}
	*ret_inode = inode;
	return 0;
}

/* ------------------------------------------------------- the table as a whole */

static int add_root(struct daemon *daemon)
{
	struct inode *root;
	struct stat attr;
	int fd;

	fd = fcntl(daemon->source_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return inode_table_find_or_add(daemon, fd, 0, NULL, &root, &attr);
}

int inode_table_create(struct daemon *daemon, const struct inode_hooks *hooks,
		       struct inode_table **ret_table)
{
	struct inode_table *table = calloc(1, sizeof(*table));
	uint32_t generation;
	int status = -ENOMEM;

	if (!table)
		return -ENOMEM;
	table->hooks = hooks;
	pthread_mutex_init(&table->lock, NULL);
	table->bucket_count = FIRST_BUCKETS;
	table->buckets = calloc(FIRST_BUCKETS, sizeof(*table->buckets));
	table->name_buckets = calloc(FIRST_BUCKETS, sizeof(*table->name_buckets));
	table->nodeids = nodeid_table_create();
	if (!table->buckets || !table->name_buckets || !table->nodeids)
		goto failed;
	/* A file handle of an earlier mount must not open another file on this one. */
	if (getrandom(&generation, sizeof(generation), 0) != sizeof(generation))
		generation = (uint32_t)inode_clock_ns();
	table->generation = generation | 1;
	if (daemon->privileged) {
		status = forgotten_create(daemon, &table->forgotten);
		if (status == -EPERM)
			log_msg(LOG_INFO,
				"the store has no file handles, or we may not open them: "
				"handles on the mount end when the kernel forgets the inode");
		else if (status < 0)
			goto failed;
	}
	daemon->inodes = table;
	status = add_root(daemon);
	if (status < 0)
		goto failed;
	*ret_table = table;
	return 0;
failed:
	inode_table_free(table);
	daemon->inodes = NULL;
	return status;
}

void inode_table_free(struct inode_table *table)
{
	struct inode *inode, *next;

	if (!table)
		return;
	for (size_t i = 0; table->buckets && i < table->bucket_count; i++)
		cds_hlist_for_each_entry_safe_2(inode, next, &table->buckets[i], node)
			inode_free(inode);
	forgotten_free(table->forgotten);
	nodeid_table_free(table->nodeids);
	free(table->buckets);
	free(table->name_buckets);
	pthread_mutex_destroy(&table->lock);
	free(table);
}
