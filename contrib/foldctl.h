/* SPDX-License-Identifier: MIT */
#ifndef FOLDCTL_H
#define FOLDCTL_H

#include <stdbool.h>
#include <sys/types.h>

/* Exit statuses, those of cmp(1) and diff(1) in meaning. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* the request was understood, and failed */
	EXIT_USAGE = 2,	 /* the request was not understood; nothing was tried */
};

enum range_op {
	OP_COLLAPSE,
	OP_INSERT,
	OP_PUNCH,
	OP_ZERO,
	OP_MOVE,
};

/** One range operation as the user asked for it. */
struct range_request {
	enum range_op op;
	const char *verb; /* as it was typed: "collapse" */
	const char *path;
	off_t offset; /* bytes; the source of a move */
	off_t len;
	off_t destination; /* of a move */
};

/**
 * Say on stderr why a range operation failed and what to do about it.
 * @param request  what was asked for
 * @param fd       the file, or -1 if it could not be opened
 * @param error    errno
 */
void explain_failure(const struct range_request *request, int fd, int error);

/**
 * Print the counters of a file or a mount on stdout.
 * @param path  below a foldfs mount, or its mount point
 * @param json  as the daemon gave them; otherwise as a table
 * @return EXIT_DONE, or EXIT_FAILED with the reason on stderr
 */
int print_stats(const char *path, bool json);

/**
 * Arm a fault of a daemon with test points.
 * @param path  below a foldfs mount, for that file; its mount point: for all files
 * @param name  of the fault; "none" disarms
 * @return EXIT_DONE, or EXIT_FAILED with the reason on stderr
 */
int arm_fault(const char *path, const char *name);

/** Print on stdout what is armed, and how often it has struck. Likewise. */
int print_fault(const char *path);

#endif
