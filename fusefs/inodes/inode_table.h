/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_TABLE_H
#define FUSEFS_INODE_TABLE_H

/*
 * Inodes that the kernel knows of, and the descriptors that stand for them.
 *
 * An inode is found by nodeid (requests) or by what the store says of who it is
 * (lookups; identity.h). It lives as long as the kernel's lookup count or a reference of
 * ours is above zero, and holds an O_PATH descriptor for all that time; so the store
 * cannot reuse its inode number meanwhile.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <urcu/hlist.h>
#include <urcu/list.h>

#include "cachelayer/mapping.h"
#include "daemon.h"
#include "freed_room.h"
#include "range_stats.h"

/** What the store says of who a file is; identity.h tells what to make of it. */
struct store_id {
	dev_t dev;
	ino_t ino;
	int64_t birth_ns; /* 0 where the store has none */
	uint64_t mount;	  /* by which it was reached; 0 before Linux 5.8 */
	mode_t mode;	  /* type and, unless only asked who it is, permissions */
	bool has_links;	  /* not a directory, and has several names */
	bool automount;	  /* says that something is mounted on it when it is entered */
	bool no_blocks;	  /* takes none; not known if only asked who it is */
};

/** Whether the names of a file may be files of their own; see identity.h. */
enum links {
	LINKS_UNKNOWN,
	LINKS_ARE_ONE,
	LINKS_MAY_SPLIT,
};

/** How to append to the store's file; see inode_store.c. */
enum appends {
	APPENDS_UNKNOWN,
	APPENDS_BY_FLAG,
	APPENDS_BY_DESCRIPTOR,
};

struct open_file;
#define STANDING_SLOTS 2

/** What we last knew of the file's content; see change_guard.h. */
struct content_sample {
	uint64_t size;
	struct timespec mtime;
	struct timespec ctime;
	bool valid;
};

struct inode {
	/* Set once. */
	struct daemon *daemon;
	fuse_ino_t nodeid;   /* unique for the life of the mount */
	uint64_t generation; /* fits in 32 bits: file handles carry no more */
	uint64_t mount;	     /* by which the store's file is reached */
	mode_t type;	     /* S_IFMT bits */
	int fd;		     /* O_PATH | O_NOFOLLOW */
	bool automount;	     /* automount.h */
	bool unsized;	     /* a file that may have more bytes than its size says */

	/* Atomic. What the store said last; changed under the inode table's lock. */
	_Atomic dev_t dev;
	_Atomic ino_t ino;
	_Atomic int64_t birth_ns;

	/* Atomic. */
	_Atomic enum links links;
	_Atomic enum appends appends;
	_Atomic uint64_t refs; /* kernel lookups and references of ours together */
	_Atomic mode_t
		mode; /* as last seen: tells whether a write must clear set-id bits */
	_Atomic uid_t
		owner; /* likewise: who pays for what nobody has asked for, and for
				pages that are written back */
	_Atomic uint64_t last_used; /* coarse clock: for giving descriptors back */
	_Atomic unsigned open_dirs; /* directories: how often it is open on the mount */
	_Atomic bool unlinked;	    /* the last name has gone, as far as we know */
	struct leaving leaving;	    /* freed_room.c's */
	_Atomic unsigned executing; /* open files that are being executed */
	_Atomic bool dropped;	    /* the kernel has been told to drop pages of it */
	_Atomic bool torn;	    /* a range operation broke off half way */
	_Atomic int refused;	    /* why the last one was not begun: an errno, or 0 */
	_Atomic uint64_t failure_told; /* coarse clock: the log's last word of a failed
					  writeback */
	struct range_stats range_stats;

	/* watch.c, with --watch. */
	_Atomic int watched; /* the watch descriptor; 0: none, -1: cannot be watched.
				Changed under the watch's lock */
	struct cds_hlist_node watch_node; /* guarded by it */
	/* Of the job that tells the kernel. */
	uint64_t watch_read;  /* told of what was read then */
	unsigned watch_tries; /* above 0: in its list */
	struct cds_list_head watch_retry;

	/* standing_open.c, with --no-open: for reading, for writing. Guarded by its
	 * lock. */
	struct open_file *standing[STANDING_SLOTS];

	/* Directories, guarded by sample_lock: what the kernel's listing is of. */
	struct content_sample listing;

	/* Guarded by the inode table's lock. */
	struct cds_hlist_node node; /* in the table's hash, by dev and ino */
	fuse_ino_t parent; /* the last name it was looked up by; or 0 and NULL */
	char *name;
	struct cds_hlist_node
		name_node; /* in the table's hash, by both, if it has one */

	/*
	 * The rest is about the bytes of regular files: inode_life.c makes and unmakes it.
	 */

	/* Made by the first open or resize, then constant. */
	struct cl_mapping *_Atomic mapping;

	/* open_file.c. The numbers stay the same while store_users is above zero. */
	_Atomic int store_fd;	    /* for reading; -1 if closed or not permitted */
	_Atomic int store_write_fd; /* for writing; store_fd if that is read-write */
	pthread_mutex_t open_lock;
	/* Changed under open_lock. */
	_Atomic unsigned writers; /* descriptors of the mount that are writable */
	/* Guarded by open_lock. */
	unsigned opens; /* descriptors of the mount that are open */
	struct cds_list_head open_files;
	uint32_t opened_for;	/* while there are any: on whose account (fd_share.h) */
	unsigned atime_readers; /* of those, the ones whose reading moves the access
				   time */
	unsigned store_users;	/* open files, and whoever called store_get() */
	bool store_noatime;	/* the descriptors have O_NOATIME */
	/* Changed under open_lock. */
	_Atomic bool
		store_appends; /* store_write_fd has O_APPEND: an append-only file */
	/* Guarded by open_lock. */
	struct timespec kept_ctime; /* of when kept_fd was put there */
	/* Guarded by kept_fd.c's lock. */
	int kept_fd; /* for the next one who reads; -1: none */
	struct cds_list_head kept_node;
	/* Guarded by dirty_hold.c's lock. */
	bool dirty_hold; /* one of the store's users is dirty_hold.c */
	struct cds_list_head dirty_node;

	/* change_guard.c. */
	pthread_mutex_t sample_lock;
	/* Guarded by sample_lock. */
	unsigned changers;   /* changes of ours under way */
	bool changed_behind; /* somebody else has changed the file */
	struct content_sample sample;

	/* revalidate.c. */
	pthread_mutex_t revalidate_lock;
	struct revalidation *revalidation; /* guarded by it: under way, or NULL */
	bool undropped; /* its own: the kernel has not dropped what it was told to */

	/* size_adoption.c. */
	_Atomic uint64_t padded_size; /* READs are padded up to here; 0: not at all */
	_Atomic uint64_t padded_until_ns; /* and until then; 0: no end in sight */
	/* Guarded by sample_lock. */
	unsigned resizes; /* those the kernel did not ask for */
	unsigned adopted; /* as many of them are known to it */
};

/** What an inode has beside what the table knows of it. */
struct inode_hooks {
	/** Make a new inode ready, before anybody else sees it; its O_PATH descriptor is
	 *  there. */
	void (*init)(struct inode *inode);
	/** Undo that. Nobody has a reference any more. */
	void (*fini)(struct inode *inode);
};

/**
 * @param daemon  source_fd, source_dev and options set
 * @param hooks   live as long as the table
 * @return 0 or a negative errno. The root inode is made at once, nodeid FUSE_ROOT_ID.
 */
int inode_table_create(struct daemon *daemon, const struct inode_hooks *hooks,
		       struct inode_table **ret_table);

/** Free every inode left; their mappings first. Nothing may be in flight. */
void inode_table_free(struct inode_table *table);

/** The inode of a request. The kernel holds a lookup on it, so it cannot go away; and
 *  it is an error of ours, and the end of the daemon, if there is none. Wait-free. */
struct inode *inode_of(struct daemon *daemon, fuse_ino_t nodeid);

/**
 * The inode with a nodeid that the kernel may have forgotten, with a reference: what
 * open_by_handle_at(2) on the mount asks for. A forgotten one comes back, with the same
 * nodeid, if the daemon is privileged and its file handle is still remembered.
 * @return 0; -ESTALE
 */
int inode_table_revive(struct daemon *daemon, fuse_ino_t nodeid,
		       struct inode **ret_inode);

/**
 * The inode for a file just opened with O_PATH, and one reference to it.
 * @param fd        O_PATH|O_NOFOLLOW; consumed: kept by a new inode, closed for a known
 *                  one and on failure
 * @param parent    nodeid of the directory it was found in, and its name there; 0 and
 *                  NULL if it has none
 * @param ret_attr  the attributes, as for stat(2), with the inode number to show
 * @return 0; -ENFILE out of descriptors; -ENOMEM; what statx said
 */
int inode_table_find_or_add(struct daemon *daemon, int fd, fuse_ino_t parent,
			    const char *name, struct inode **ret_inode,
			    struct stat *ret_attr);

/** The inode with this store file, if the kernel knows it, with a reference; or NULL. Does
 *  not wait for our own mount, should the name lead there. */
struct inode *inode_table_find(struct daemon *daemon, int dirfd, const char *name);

/** Likewise, by what the store says of it, if that alone is proof: otherwise NULL, and
 *  inode_table_find_or_add() knows. If parent is not 0, that and name are noted as where
 *  it was found. */
struct inode *inode_table_find_id(struct daemon *daemon, const struct store_id *id,
				  fuse_ino_t parent, const char *name);

/** The inode is now known by this name, or by none (0, NULL). */
void inode_table_rename(struct inode *inode, fuse_ino_t parent, const char *name);

/**
 * The inodes that the kernel could best forget: not open, and not asked for since they
 * were last looked up; longest unused first.
 * @param directories  give those, and not everything else
 * @param nodeids      room for max
 * @return how many were found; 0 also when out of memory
 */
size_t inode_table_idle(struct inode_table *table, bool directories,
			fuse_ino_t *nodeids, size_t max);

/**
 * The next idle inodes, of whatever type, in no order.
 * @param bucket   where the search begins, and the next one goes on; any number at first
 * @param nodeids  room for max
 * @return how many were found
 * The table's lock is held for a bounded time.
 */
size_t inode_table_idle_from(struct inode_table *table, size_t *bucket,
			     fuse_ino_t *nodeids, size_t max);

/**
 * Take away the name by which the kernel knows an idle inode, to ask for it to be
 * forgotten. The next lookup gives it a name again.
 * @param ret_name  free() it
 * @return whether it is still idle
 */
bool inode_table_take_name(struct inode_table *table, fuse_ino_t nodeid,
			   fuse_ino_t *ret_parent, char **ret_name);

/** The inode with a nodeid, if it has not been forgotten, with a reference; or NULL. */
struct inode *inode_table_find_nodeid(struct inode_table *table, fuse_ino_t nodeid);

/** Whether an inode is known by this name; and that name, to be freed.
 *  @return of inode_table_name_of(): whether it has one; false also out of memory */
bool inode_table_is_named(struct inode *inode, fuse_ino_t parent, const char *name);
bool inode_table_name_of(const struct inode *inode, fuse_ino_t *ret_parent,
			 char **ret_name);

/** The nodeids of all inodes, to be freed. @return 0; -ENOMEM */
int inode_table_all(struct inode_table *table, fuse_ino_t **ret_nodeids,
		    size_t *ret_count);

/** What inode->last_used counts. */
uint64_t inode_clock_ns(void);

/** Take and drop references of ours; inode_put(inode, n) also serves FORGET. The last
 *  one frees the inode: it must not be called with a lock of an inode held. */
void inode_get(struct inode *inode);
void inode_put(struct inode *inode, uint64_t n);
/** Take a reference of an inode that somebody may be freeing just now, while something
 *  keeps him from getting done. @return whether nobody is */
bool inode_get_unless_zero(struct inode *inode);

/** Attributes of an inode as to be shown: sizes from the page cache where that is
 *  newer, inode numbers made unique across devices. Returns 0 or a negative errno.
 *  Takes no lock that is held across a wait. */
int inode_stat(struct inode *inode, struct stat *ret_attr);

#endif
