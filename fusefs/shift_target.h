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
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define SHIFT_HANDLE_MAX 128 /* MAX_HANDLE_SZ */

struct shift_target {
	uint64_t ino;
	int64_t birth_s; /* both 0 where the store has no birth times */
	uint32_t birth_ns;
	int32_t handle_type;
	uint32_t handle_len; /* bytes; 0 where the store has no handles */
	bool on_source_device;
	bool unlinked;	     /* had no name left when the operation began */
	char path[PATH_MAX]; /* relative to SOURCE; "" if unknown */
	uint8_t handle[SHIFT_HANDLE_MAX];
};

/**
 * Describe an open file.
 * @param source_fd  SOURCE; O_PATH is enough
 * @param fd         the file, not O_PATH
 * @return 0 or a negative errno
 */
int shift_target_describe(int source_fd, int fd, struct shift_target *ret_target);

/**
 * Find the file again and open it for reading and writing, never through a symbolic
 * link and never outside SOURCE.
 * @return a descriptor, the caller's; -ENOENT: it is not below SOURCE; -ESTALE: it has
 *         been deleted for certain; or what open(2) says of the file itself (-EACCES,
 *         -EROFS, -EMFILE, …)
 */
int shift_target_open(int source_fd, const struct shift_target *target);

#endif
