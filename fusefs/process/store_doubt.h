/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_DOUBT_H
#define FUSEFS_STORE_DOUBT_H

/*
 * What cannot be relied on, on the file system of SOURCE, whatever we do.
 */

#include <stddef.h>

/**
 * Why a file may be taken for another one, or one for two: stores that do not keep the
 * numbers of files (identity.h).
 * @param fd       SOURCE; O_PATH is enough
 * @param ret_why  a clause that gives the reason and, if there is one, the remedy; ""
 *                 if identity holds
 * @param size     room for it, bytes, with the NUL
 * @return 0; a negative errno if the file system cannot be told
 */
int store_doubt_identity(int fd, char *ret_why, size_t size);

/** The type of the file system that `fd` is on, as the list of mounts has it.
 *  @return 0 or a negative errno */
int store_doubt_type(int fd, char *ret_type, size_t size);

#endif
