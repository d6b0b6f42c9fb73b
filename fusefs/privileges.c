/* SPDX-License-Identifier: MIT */
/*
 * Privileges: root, but no more of it than is used.
 *
 * What goes, goes for the sake of those we serve, too: with CAP_SYS_RESOURCE their
 * writes would pass over disk quotas.
 */

#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

static const unsigned needed[] = {
	CAP_CHOWN,	     /* chown on behalf of root */
	CAP_DAC_OVERRIDE,    /* the kernel has checked permissions already */
	CAP_DAC_READ_SEARCH, /* to open the store's file handles */
	CAP_FOWNER,	     /* chmod, utimes, link, sticky directories */
	CAP_FSETID,	     /* set-group-id bits that the kernel let pass */
	CAP_MKNOD,	     /* device nodes */
	CAP_SETUID,	     /* to create as the caller */
	CAP_SETGID,	     CAP_SETFCAP, /* security.capability attributes */
	CAP_SYS_ADMIN,			  /* trusted attributes; to unmount */
};

void privileges_reduce(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2];
	uint32_t keep = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		keep |= UINT32_C(1) << needed[i];
	if (syscall(SYS_capget, &header, caps) < 0)
		return;
	/* All of them are among the first 32. */
	caps[0].permitted &= keep;
	caps[0].effective &= keep;
	caps[1].permitted = caps[1].effective = 0;
	caps[0].inheritable = caps[1].inheritable = 0;
	if (syscall(SYS_capset, &header, caps) < 0)
		log_msg(LOG_WARNING, "cannot give up capabilities: %s",
			strerror(errno));
}
