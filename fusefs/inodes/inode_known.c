/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of: all inodes, each by its number, each by its last name.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "identity.h"
#include "inode_table_internal.h"
#include "store_stat.h"

/* -------------------------------------------------------------------- by name */

static struct cds_hlist_head *name_bucket(struct inode_table *table, fuse_ino_t parent,
					  const char *name)
{
	return &table->name_buckets[XXH3_64bits_withSeed(name, strlen(name), parent) &
				    (table->bucket_count - 1)];
}

static bool is_named(const struct inode *inode, fuse_ino_t parent, const char *name)
{
	return inode->name && inode->parent == parent && strcmp(inode->name, name) == 0;
}

void inode_hash_name(struct inode_table *table, struct inode *inode)
{
	if (inode->name)
		cds_hlist_add_head(&inode->name_node,
				   name_bucket(table, inode->parent, inode->name));
}

void inode_set_name(struct inode_table *table, struct inode *inode, fuse_ino_t parent,
		    const char *name)
{
	if (name && is_named(inode, parent, name))
		return;
	if (inode->name)
		cds_hlist_del(&inode->name_node);
	free(inode->name);
	/* Without memory it has no name, and stays when descriptors run short. */
	inode->name = name ? strdup(name) : NULL;
	inode->parent = inode->name ? parent : 0;
	inode_hash_name(table, inode);
}

struct inode *inode_named(struct inode_table *table, fuse_ino_t parent,
			  const char *name)
{
	struct inode *inode;

	cds_hlist_for_each_entry_2(inode, name_bucket(table, parent, name), name_node)
		if (is_named(inode, parent, name))
			return inode;
	return NULL;
}

void inode_table_rename(struct inode *inode, fuse_ino_t parent, const char *name)
{
	struct inode_table *table = inode->daemon->inodes;

	pthread_mutex_lock(&table->lock);
	inode_set_name(table, inode, parent, name);
	pthread_mutex_unlock(&table->lock);
}

/* ------------------------------------------------------------------ by number */

struct inode *inode_table_find(struct daemon *daemon, int dirfd, const char *name)
{
	struct inode *inode;
	struct store_id id;
	uint64_t version;
	int fd;

	if (store_identify(dirfd, name, &id) < 0 || id.dev == daemon->own_dev)
		return NULL;
	inode = inode_table_find_id(daemon, &id, 0, NULL);
	if (inode)
		return inode;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	inode = identity_find(daemon, fd, &id, 0, NULL, &version);
	close(fd);
	return inode;
}

struct inode *inode_table_find_nodeid(struct inode_table *table, fuse_ino_t nodeid)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = nodeid_find(table->nodeids, nodeid);
	if (inode)
		inode_get(inode);
	pthread_mutex_unlock(&table->lock);
	return inode;
}

bool inode_table_is_named(struct inode *inode, fuse_ino_t parent, const char *name)
{
	struct inode_table *table = inode->daemon->inodes;
	bool named;

	pthread_mutex_lock(&table->lock);
	named = is_named(inode, parent, name);
	pthread_mutex_unlock(&table->lock);
	return named;
}

bool inode_table_name_of(const struct inode *inode, fuse_ino_t *ret_parent,
			 char **ret_name)
{
	struct inode_table *table = inode->daemon->inodes;
	char *name;

	pthread_mutex_lock(&table->lock);
	name = inode->name ? strdup(inode->name) : NULL;
	*ret_parent = inode->parent;
	pthread_mutex_unlock(&table->lock);
	*ret_name = name;
	return name != NULL;
}

int inode_table_all(struct inode_table *table, fuse_ino_t **ret_nodeids,
		    size_t *ret_count)
{
	struct inode *inode;
	fuse_ino_t *nodeids;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	nodeids = calloc(table->inode_count, sizeof(*nodeids));
	for (size_t i = 0; nodeids && i < table->bucket_count; i++)
		cds_hlist_for_each_entry_2(inode, &table->buckets[i], node)
			nodeids[n++] = inode->nodeid;
	pthread_mutex_unlock(&table->lock);
	*ret_nodeids = nodeids;
	*ret_count = n;
	return nodeids ? 0 : -ENOMEM;
}
