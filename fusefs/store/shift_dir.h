/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_DIR_H
#define FUSEFS_SHIFT_DIR_H

/*
 * The directories in SOURCE where the journals of running operations are: made when the
 * first one needs it, removed when it is empty again.
 *
 * A journal makes us write into files, with our rights. In a SOURCE where others may
 * make names, somebody may have made a directory of ours first; and who may rename there
 * could bring a directory of ours to that name that holds copies of his own files (root's
 * backup of them, say). So a directory counts as ours only if it belongs to our user, only
 * its owner may write it, and, for root, nobody else could have brought it there: SOURCE's
 * names are root's alone, or sticky, or the directory bears a mark that only root can set.
 *
 *	.foldfs        whose it is who needs it first
 *	.foldfs-UID    if that is not ours: of our user. What of somebody else's is in its
 *	               place gives way, where we may move it (it gets a name of the next kind)
 *	.foldfs-…      what had to give way; nobody looks at it any more
 */

#include <stdbool.h>
#include <sys/types.h>

#define SHIFT_DIR_NAME	   ".foldfs"
#define SHIFT_DIR_NAME_MAX 32

/* What names in it begin with. */
#define SHIFT_JOURNAL_PREFIX "shift-"
#define SHIFT_PROBE_PREFIX   "probe-" /* store_probe.c: removed when found */
#define SHIFT_ASIDE_SUFFIX   ".aside" /* a journal that only a person can judge */

/* Whose word is what is in a directory. */
enum shift_dir_trust {
	SHIFT_DIR_OURS,	    /* ours */
	SHIFT_DIR_UNPROVEN, /* our user's, but others may have brought it there */
	SHIFT_DIR_THEIRS,   /* its owner's, at most */
};

struct shift_dir {
	int fd; /* for reading; the caller's */
	char name[SHIFT_DIR_NAME_MAX];
	uid_t owner;
	enum shift_dir_trust trust;
};

/** Whether a name in SOURCE's root belongs to us: .foldfs, .foldfs-… The mount neither
 *  shows nor makes them. */
bool shift_dir_is_reserved(const char *name);

/** Whether recovery has to look at a name: it is .foldfs, or .foldfs-UID of its owner. */
bool shift_dir_name_is_owners(int source_fd, const char *name);

/**
 * Open a directory of that kind, whoever's. Never through a link, nor into another file
 * system, and nothing that could block is opened.
 * @param source_fd  SOURCE; O_PATH is enough
 * @param name       in it
 * @return 0; -ENOENT, -ENOTDIR, -ELOOP, -EXDEV: there is no such directory; -EACCES: we
 *         may not read it: then all of ret_dir but fd (-1) is set; whatever else open(2)
 *         and fstat(2) say
 */
int shift_dir_open(int source_fd, const char *name, struct shift_dir *ret_dir);

/** Open ours, and make it if need be. Not durable yet.
 *  @return 0; -EPERM: somebody else has both names, or his names could not be told from
 *          ours; -EACCES, -EROFS, -ENOSPC and whatever else mkdir(2) says */
int shift_dir_make(int source_fd, struct shift_dir *ret_dir);

/**
 * Whether a journal of that name is in a directory of ours other than `dir`, of root's, or
 * of the owner of the file that it is about: somebody may be at work on the file whose word
 * counts. Called once our own journal has its name, by each: so of two that begin at the
 * same time at least one sees the other.
 * @return 0: none; -EBUSY; -EACCES: we may not look; other errors of stat(2)
 */
int shift_dir_find_rival(int source_fd, const struct shift_dir *dir,
			 const char *journal_name, uid_t file_owner);

/** Make the names of directories in SOURCE durable. @return 0 or a negative errno */
int shift_dir_sync_parent(int source_fd, int (*fsync_dir)(int fd));

/** Remove ours if they are empty. That there are none, or not empty, is fine. */
void shift_dir_remove(int source_fd);

#endif
