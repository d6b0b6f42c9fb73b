/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_TARGET_H
#define FUSEFS_SHIFT_TARGET_H

/*
 * Which file a journal is about, told so that it is found again after a crash, and so
 * that no other file is ever taken for it.
 *
 * The path below SOURCE says where to look first. Inode number, birth time and file
 * handle (it carries the inode's generation) say whether what is there is the file;
 * device numbers do not last over a reboot and are left out. A file that was renamed is
 * searched by its inode number in all of SOURCE: slow, and rare.
 *
 * The handle alone would find it at once (open_by_handle_at(2)), for root. But it does not
 * tell where the file is, and what has left SOURCE is no business of ours any more; so it
 * is asked only whether the file still exists.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define SHIFT_HANDLE_MAX 128 /* MAX_HANDLE_SZ */

/** What a file is known by, wherever it is: the same after a reboot. */
struct shift_identity {
	uint64_t ino;
	int64_t birth_s; /* both 0 where the store has no birth times */
	uint32_t birth_ns;
	int32_t handle_type;
	uint32_t handle_len; /* bytes; 0 where the store has no handles */
	uint8_t handle[SHIFT_HANDLE_MAX];
};

struct shift_target {
	struct shift_identity identity;
	bool on_source_device;
	bool unlinked;	     /* had no name left when the operation began */
	char path[PATH_MAX]; /* relative to SOURCE; "" if unknown or longer */
};

/**
 * Describe an open file.
 * @param source_fd  SOURCE; O_PATH is enough
 * @param fd         the file, not O_PATH
 * @return 0 or a negative errno
 */
int shift_target_describe(int source_fd, int fd, struct shift_target *ret_target);

/** Whether an open file, O_PATH or not, is that one: 1 or 0, or a negative errno if that
 *  cannot be told (-EIO, -ENOMEM, …). */
int shift_identity_is(const struct shift_identity *identity, int fd);

/**
 * Find the file again and open it for reading and writing, never through a symbolic
 * link and never outside SOURCE. Where its path does not lead to it, all of SOURCE is
 * searched, however deep.
 * @param stop  asked now and then whether to give up: -EINTR then; may be NULL
 * @return a descriptor, the caller's; -ENOENT: it is not below SOURCE, every directory
 *         of which has been looked into; -ESTALE: it has been deleted for certain; or
 *         why it could not be looked for everywhere, or not opened (-EACCES, -EROFS,
 *         -EMFILE, -EIO, …): it may be there
 */
int shift_target_open(int source_fd, const struct shift_target *target,
		      bool (*stop)(void *arg), void *stop_arg);

#endif
