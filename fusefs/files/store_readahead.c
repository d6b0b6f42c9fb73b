/* SPDX-License-Identifier: MIT */
/* The store's own readahead; see the header. */

#include "store_readahead.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>

bool store_readahead_races(void)
{
	unsigned version, patchlevel;
	struct utsname name;

	if (uname(&name) < 0 ||
	    sscanf(name.release, "%u.%u", &version, &patchlevel) != 2)
		return true;
	return version < 5 || (version == 5 && patchlevel < 15);
}

void store_readahead_stop(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}
