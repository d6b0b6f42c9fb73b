/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_TRIAL_MOUNT_H
#define FUSEFS_TRIAL_MOUNT_H

/*
 * A mount that serves one page, to learn what the kernel's FUSE is like here: its
 * version of the protocol and what it offers are told by INIT, whether we may mount is
 * best known by mounting, and how it writes mapped pages back is tried out.
 */

#include <stdint.h>

#include "copies_probe.h"

#define TRIAL_MOUNT_MS 30000

/** What INIT has told, and what was seen. */
struct trial {
	unsigned proto_major, proto_minor;
	uint32_t capable; /* FUSE_CAP_… */
	enum copies copies;
};

/**
 * Mount, wait for INIT, unmount. Root does it in a mount namespace of its own; a user
 * by fusermount3, which unmounts if we are killed. Signals that end a process wait
 * until it is over.
 * @param mountpoint  an empty directory; NULL: one that is made for this in $TMPDIR, or
 *                    /tmp, and removed
 * @return 0; -ETIMEDOUT after TRIAL_MOUNT_MS; -EIO if it cannot be mounted (libfuse or
 *         fusermount3 have said why, to stderr); another negative errno
 * For a process with one thread.
 */
int trial_mount(const char *mountpoint, struct trial *ret_trial);

#endif
