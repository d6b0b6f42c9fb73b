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

#include "credentials.h"
#include "log.h"

/* What serving takes, all of which goes from the effective ones by itself while a
 * thread acts with a user's id; and what a few calls take, which raise it for
 * themselves. */
static const unsigned at_hand[] = {
	CAP_CHOWN,	     /* what we make for ourselves */
	CAP_DAC_OVERRIDE,    /* to open what a caller may */
	CAP_DAC_READ_SEARCH, /* to open the store's file handles */
	CAP_FOWNER,	     /* O_NOATIME */
	CAP_FSETID,	     /* of root, who has it, and for mapped pages */
	CAP_MKNOD,	     /* device nodes of root */
	CAP_SETUID,	     /* to act with a caller's ids */
	CAP_SETGID,
};
static const unsigned on_demand[] = {
	CAP_SETFCAP,   /* security.capability attributes */
	CAP_SYS_ADMIN, /* trusted attributes; to unmount */
};

static uint32_t bits(const unsigned *caps, size_t count)
{
	uint32_t all = 0;

	for (size_t i = 0; i < count; i++)
		all |= UINT32_C(1) << caps[i];
	return all;
}

void privileges_reduce(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2];
	const uint32_t effective = bits(at_hand, sizeof(at_hand) / sizeof(at_hand[0]));
	const uint32_t permitted =
		effective | bits(on_demand, sizeof(on_demand) / sizeof(on_demand[0]));

	if (syscall(SYS_capget, &header, caps) < 0)
		return;
	/* All of them are among the first 32. */
	caps[0].permitted &= permitted;
	caps[0].effective &= effective;
	caps[1].permitted = caps[1].effective = 0;
	caps[0].inheritable = caps[1].inheritable = 0;
	if (syscall(SYS_capset, &header, caps) < 0)
		log_msg(LOG_WARNING, "cannot give up capabilities: %s",
			strerror(errno));
	credentials_own_changed();
}
