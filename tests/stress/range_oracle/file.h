/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_FILE_H
#define RANGE_ORACLE_FILE_H

/*
 * The file under test: its names, and one view of it for each process.
 */

#include "oracle.h"

struct test_file {
	struct view views[PROCESSES_MAX]; /* descriptors; mapped by file_map() */
	unsigned nviews;
	char *store_path; /* behind the mount, or NULL */
};

/**
 * Make the file, with settings->pages pages of zeros, and open it for each process.
 * Leaves the program with a message and status 2 if that is not possible, or if the
 * directory is not what the settings say: on foldfs, or not.
 */
void file_create(const struct settings *settings, struct test_file *ret_file);

/** Map the file into this process. @return 0 or -1 with errno */
int file_map(struct view *view, uint32_t max_pages);

/** Remove every name that is left. */
void file_remove(const struct settings *settings);

#endif
