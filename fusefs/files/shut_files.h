/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHUT_FILES_H
#define FUSEFS_SHUT_FILES_H

/*
 * Files that an interrupted range operation may have left half way, and that recovery
 * could not make whole: to everybody who opens, reads or writes them they are broken
 * (inode->torn, EIO). All others are served: who cannot mend one file of a million is not
 * kept from the rest, and may need it to make the room that mending takes.
 *
 * Filled before anything is served, constant afterwards.
 */

#include "shift_recover.h"

struct shut_files;

/** @return NULL without memory */
struct shut_files *shut_files_new(void);
void shut_files_free(struct shut_files *files);

/** Add a file, if it is that owner's or owner is SHIFT_ANY_OWNER.
 *  @return 0, -ENOMEM */
int shut_files_add(struct shut_files *files, const struct shift_identity *file,
		   uid_t owner);

/** Whether a file is among them, by a descriptor, O_PATH or not. Costs a memory access
 *  where there are none; what cannot be told counts as yes. NULL for files: none. */
bool shut_files_has(const struct shut_files *files, int fd);

#endif
